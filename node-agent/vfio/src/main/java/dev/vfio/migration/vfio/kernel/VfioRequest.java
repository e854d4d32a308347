package dev.vfio.migration.vfio.kernel;

/**
 * The ioctls of VFIO and iommufd: {@code _IO(';', n)}, the same number on every architecture this
 * runs on.
 *
 * <p>Source: {@code linux/vfio.h}, {@code linux/iommufd.h}.
 */
enum VfioRequest {
  VFIO_GET_API_VERSION(100),
  VFIO_CHECK_EXTENSION(101),
  VFIO_SET_IOMMU(102),
  VFIO_GROUP_GET_STATUS(103),
  VFIO_GROUP_SET_CONTAINER(104),
  VFIO_GROUP_GET_DEVICE_FD(106),
  VFIO_DEVICE_GET_INFO(107),
  VFIO_DEVICE_GET_REGION_INFO(108),
  VFIO_DEVICE_RESET(111),
  VFIO_DEVICE_FEATURE(117),
  VFIO_DEVICE_BIND_IOMMUFD(118),
  VFIO_DEVICE_ATTACH_IOMMUFD_PT(119),
  /** The request is made on the data file of a device in PRE_COPY. */
  VFIO_MIG_GET_PRECOPY_INFO(121),
  IOMMU_IOAS_ALLOC(0x81);

  private static final int TYPE = ';';

  private final int number;

  VfioRequest(int number) {
    this.number = number;
  }

  int code() {
    return TYPE << 8 | number;
  }
}
