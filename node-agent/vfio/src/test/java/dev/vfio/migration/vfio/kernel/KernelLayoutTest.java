package dev.vfio.migration.vfio.kernel;

import dev.vfio.migration.vfio.access.FeatureAccess;
import dev.vfio.migration.vfio.layout.KernelHeaders;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every ioctl number, constant, structure size and offset is what the kernel's headers have. */
class KernelLayoutTest {
  private static final String BIND = "VFIO_DEVICE_BIND_IOMMUFD";
  private static final String IOMMUFD = "IOMMUFD_TYPE";
  private static final String PRECOPY = "VFIO_MIG_GET_PRECOPY_INFO";

  @TempDir Path folder;

  private final KernelHeaders headers = new KernelHeaders();

  KernelLayoutTest() {
    for (VfioRequest request : VfioRequest.values()) {
      expect(request.name(), request.code(), request.name());
    }
    expect("offsetof(struct vfio_device_info, argsz)", DeviceInfoLayout.ARGSZ);
    expect("offsetof(struct vfio_device_info, flags)", DeviceInfoLayout.FLAGS);
    expect("offsetof(struct vfio_device_info, num_regions)", DeviceInfoLayout.NUM_REGIONS);
    expect("offsetof(struct vfio_device_info, num_irqs)", DeviceInfoLayout.NUM_IRQS);
    expect("offsetof(struct vfio_device_info, cap_offset)", DeviceInfoLayout.CAP_OFFSET);
    expect("sizeof(struct vfio_device_info)", DeviceInfoLayout.SIZE, BIND);
    expect("VFIO_DEVICE_FLAGS_RESET", DeviceInfoLayout.FLAG_RESET);
    expect("VFIO_DEVICE_FLAGS_PCI", DeviceInfoLayout.FLAG_PCI);
    expect("offsetof(struct vfio_device_feature, argsz)", FeatureLayout.ARGSZ);
    expect("offsetof(struct vfio_device_feature, flags)", FeatureLayout.FLAGS);
    expect("offsetof(struct vfio_device_feature, data)", FeatureLayout.DATA);
    expect("VFIO_DEVICE_FEATURE_MASK", FeatureLayout.INDEX_MASK);
    expect("VFIO_DEVICE_FEATURE_PROBE", FeatureLayout.PROBE);
    expect("VFIO_DEVICE_FEATURE_GET", FeatureAccess.GET);
    expect("VFIO_DEVICE_FEATURE_SET", FeatureAccess.SET);
    expect("offsetof(struct vfio_group_status, argsz)", GroupLayout.STATUS_ARGSZ);
    expect("offsetof(struct vfio_group_status, flags)", GroupLayout.STATUS_FLAGS);
    expect("sizeof(struct vfio_group_status)", GroupLayout.STATUS_SIZE);
    expect("VFIO_GROUP_FLAGS_VIABLE", GroupLayout.FLAG_VIABLE);
    expect("VFIO_GROUP_FLAGS_CONTAINER_SET", GroupLayout.FLAG_CONTAINER_SET);
    expect("VFIO_API_VERSION", GroupLayout.API_VERSION);
    expect("VFIO_TYPE1v2_IOMMU", GroupLayout.TYPE1V2_IOMMU);
    expectNewer();
  }

  private void expectNewer() {
    expect("offsetof(struct vfio_precopy_info, argsz)", PrecopyInfoLayout.ARGSZ, PRECOPY);
    expect("offsetof(struct vfio_precopy_info, flags)", PrecopyInfoLayout.FLAGS, PRECOPY);
    expect(
        "offsetof(struct vfio_precopy_info, initial_bytes)",
        PrecopyInfoLayout.INITIAL_BYTES,
        PRECOPY);
    expect(
        "offsetof(struct vfio_precopy_info, dirty_bytes)", PrecopyInfoLayout.DIRTY_BYTES, PRECOPY);
    expect("sizeof(struct vfio_precopy_info)", PrecopyInfoLayout.SIZE, PRECOPY);
    String bind = "struct vfio_device_bind_iommufd";
    expect("offsetof(" + bind + ", argsz)", IommufdLayout.BIND_ARGSZ, BIND);
    expect("offsetof(" + bind + ", flags)", IommufdLayout.BIND_FLAGS, BIND);
    expect("offsetof(" + bind + ", iommufd)", IommufdLayout.BIND_IOMMUFD, BIND);
    expect("offsetof(" + bind + ", out_devid)", IommufdLayout.BIND_OUT_DEVID, BIND);
    // Newer kernels append to these structures; the part used here ends with the last field.
    expect("offsetof(" + bind + ", out_devid) + 4", IommufdLayout.BIND_SIZE, BIND);
    String attach = "struct vfio_device_attach_iommufd_pt";
    expect("offsetof(" + attach + ", argsz)", IommufdLayout.ATTACH_ARGSZ, BIND);
    expect("offsetof(" + attach + ", flags)", IommufdLayout.ATTACH_FLAGS, BIND);
    expect("offsetof(" + attach + ", pt_id)", IommufdLayout.ATTACH_PT_ID, BIND);
    expect("offsetof(" + attach + ", pt_id) + 4", IommufdLayout.ATTACH_SIZE, BIND);
    String alloc = "struct iommu_ioas_alloc";
    expect("offsetof(" + alloc + ", size)", IommufdLayout.ALLOC_SIZE_FIELD, IOMMUFD);
    expect("offsetof(" + alloc + ", flags)", IommufdLayout.ALLOC_FLAGS, IOMMUFD);
    expect("offsetof(" + alloc + ", out_ioas_id)", IommufdLayout.ALLOC_OUT_IOAS_ID, IOMMUFD);
    expect("sizeof(" + alloc + ")", IommufdLayout.ALLOC_SIZE, IOMMUFD);
  }

  private void expect(String expression, long value) {
    headers.expect(expression, value);
  }

  private void expect(String expression, long value, String needed) {
    headers.expect(expression, value, needed);
  }

  @Test
  void whatTheInstalledHeadersHaveIsAsTheyHaveIt() throws IOException, InterruptedException {
    headers.holdInstalled(folder);
  }

  @Test
  void allOfItIsAsTheNewestHeadersHaveIt() throws IOException, InterruptedException {
    headers.holdNewest(folder);
  }
}
