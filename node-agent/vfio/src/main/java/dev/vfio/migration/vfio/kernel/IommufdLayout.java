package dev.vfio.migration.vfio.kernel;

/**
 * The structures that join a device's character device, an iommufd and one of its address spaces.
 *
 * <pre>
 * struct iommu_ioas_alloc { __u32 size; __u32 flags; __u32 out_ioas_id; };
 * struct vfio_device_bind_iommufd { __u32 argsz; __u32 flags; __s32 iommufd; __u32 out_devid; };
 * struct vfio_device_attach_iommufd_pt { __u32 argsz; __u32 flags; __u32 pt_id; };
 * </pre>
 *
 * <p>Newer kernels have longer ones; they take these.
 */
final class IommufdLayout {
  static final int ALLOC_SIZE_FIELD = 0;
  static final int ALLOC_FLAGS = 4;
  static final int ALLOC_OUT_IOAS_ID = 8;
  static final int ALLOC_SIZE = 12;

  static final int BIND_ARGSZ = 0;
  static final int BIND_FLAGS = 4;
  static final int BIND_IOMMUFD = 8;
  static final int BIND_OUT_DEVID = 12;
  static final int BIND_SIZE = 16;

  static final int ATTACH_ARGSZ = 0;
  static final int ATTACH_FLAGS = 4;
  static final int ATTACH_PT_ID = 8;
  static final int ATTACH_SIZE = 12;

  private IommufdLayout() {}
}
