package dev.vfio.migration.vfio.access;

import dev.vfio.migration.vfio.layout.ExpectedConstants;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every offset, size and constant is what a C compiler makes of {@code linux/vfio.h}. */
class RegionInfoLayoutTest {

  @Test
  void theRegionInfoAndItsCapabilities(@TempDir Path folder)
      throws IOException, InterruptedException {
    ExpectedConstants expected = new ExpectedConstants();
    expected.add("offsetof(struct vfio_region_info, argsz)", RegionInfoLayout.ARGSZ);
    expected.add("offsetof(struct vfio_region_info, flags)", RegionInfoLayout.FLAGS);
    expected.add("offsetof(struct vfio_region_info, index)", RegionInfoLayout.INDEX);
    expected.add("offsetof(struct vfio_region_info, cap_offset)", RegionInfoLayout.CAP_OFFSET);
    expected.add("offsetof(struct vfio_region_info, size)", RegionInfoLayout.REGION_SIZE);
    expected.add("offsetof(struct vfio_region_info, offset)", RegionInfoLayout.REGION_OFFSET);
    expected.add("sizeof(struct vfio_region_info)", RegionInfoLayout.SIZE);
    expected.add("VFIO_REGION_INFO_FLAG_READ", RegionInfoLayout.FLAG_READ);
    expected.add("VFIO_REGION_INFO_FLAG_WRITE", RegionInfoLayout.FLAG_WRITE);
    expected.add("VFIO_REGION_INFO_FLAG_MMAP", RegionInfoLayout.FLAG_MMAP);
    expected.add("VFIO_REGION_INFO_FLAG_CAPS", RegionInfoLayout.FLAG_CAPS);
    expected.add("offsetof(struct vfio_info_cap_header, id)", RegionInfoLayout.CAP_ID);
    expected.add("offsetof(struct vfio_info_cap_header, version)", RegionInfoLayout.CAP_VERSION);
    expected.add("offsetof(struct vfio_info_cap_header, next)", RegionInfoLayout.CAP_NEXT);
    expected.add("sizeof(struct vfio_info_cap_header)", RegionInfoLayout.CAP_HEADER_SIZE);
    expected.add("VFIO_REGION_INFO_CAP_SPARSE_MMAP", RegionInfoLayout.CAP_SPARSE_MMAP);
    expected.add("VFIO_REGION_INFO_CAP_TYPE", RegionInfoLayout.CAP_TYPE);
    expected.add("offsetof(struct vfio_region_info_cap_type, type)", RegionInfoLayout.TYPE_TYPE);
    expected.add(
        "offsetof(struct vfio_region_info_cap_type, subtype)", RegionInfoLayout.TYPE_SUBTYPE);
    expected.add("sizeof(struct vfio_region_info_cap_type)", RegionInfoLayout.TYPE_SIZE);
    expected.add(
        "offsetof(struct vfio_region_info_cap_sparse_mmap, nr_areas)",
        RegionInfoLayout.SPARSE_AREA_COUNT);
    expected.add(
        "offsetof(struct vfio_region_info_cap_sparse_mmap, areas)", RegionInfoLayout.SPARSE_AREAS);
    expected.add(
        "offsetof(struct vfio_region_sparse_mmap_area, offset)", RegionInfoLayout.AREA_OFFSET);
    expected.add(
        "offsetof(struct vfio_region_sparse_mmap_area, size)", RegionInfoLayout.AREA_SIZE_FIELD);
    expected.add("sizeof(struct vfio_region_sparse_mmap_area)", RegionInfoLayout.AREA_SIZE);
    expected.add("VFIO_PCI_CONFIG_REGION_INDEX", RegionInfoLayout.PCI_CONFIG_REGION);
    expected.add("VFIO_PCI_NUM_REGIONS", RegionInfoLayout.PCI_REGIONS);
    expected.hold(folder, "#include <linux/vfio.h>\n");
  }
}
