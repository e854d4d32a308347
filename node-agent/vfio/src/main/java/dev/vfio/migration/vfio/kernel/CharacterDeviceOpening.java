package dev.vfio.migration.vfio.kernel;

import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.linux.DriverFile;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.NativeMemory;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.OptionalInt;

/** Opens a device by its character device, attached to an address space of an iommufd. */
final class CharacterDeviceOpening {
  private final Opening opening;

  CharacterDeviceOpening(Opening opening) {
    this.opening = opening;
  }

  /**
   * @throws DeviceException where a step fails; nothing stays open then
   */
  OpenedDevice open() throws DeviceException {
    LinkedHashMap<String, DriverFile> companions = new LinkedHashMap<>();
    DriverFile device = null;
    try {
      device = opening.openNode(opening.characterDevice());
      DriverFile iommufd = openIommufd();
      companions.put("iommufd", iommufd);
      int addressSpace = allocateAddressSpace(iommufd);
      bind(device, iommufd);
      attach(device, addressSpace);
      return new OpenedDevice(device, companions, OptionalInt.of(addressSpace));
    } catch (Throwable failure) {
      if (device != null) {
        device.close();
      }
      companions.values().forEach(DriverFile::close);
      throw failure;
    }
  }

  private DriverFile openIommufd() throws DeviceException {
    Path node = opening.directory().resolveSibling("iommu");
    if (!Files.exists(node)) {
      throw opening.failed(
          Kind.UNREACHABLE,
          Errno.ENOENT.number(),
          "there is no " + node + " here, which its character device needs",
          String.format(
              "%sLoad the kernel module iommufd; where the agent runs in a container, give it the"
                  + " host's %s.",
              Opening.UNTOUCHED, node),
          null);
    }
    return opening.openNode(node);
  }

  private int allocateAddressSpace(DriverFile iommufd) throws DeviceException {
    ByteBuffer structure = NativeMemory.allocate(IommufdLayout.ALLOC_SIZE);
    structure.putInt(IommufdLayout.ALLOC_SIZE_FIELD, IommufdLayout.ALLOC_SIZE);
    try {
      call(iommufd, VfioRequest.IOMMU_IOAS_ALLOC, structure);
    } catch (ErrnoException failure) {
      throw opening.callFailed(failure, Opening.UNTOUCHED);
    }
    return structure.getInt(IommufdLayout.ALLOC_OUT_IOAS_ID);
  }

  private void bind(DriverFile device, DriverFile iommufd) throws DeviceException {
    try {
      ByteBuffer structure = NativeMemory.allocate(IommufdLayout.BIND_SIZE);
      structure.putInt(IommufdLayout.BIND_ARGSZ, IommufdLayout.BIND_SIZE);
      VfioRequest request = VfioRequest.VFIO_DEVICE_BIND_IOMMUFD;
      device.ioctl(request.name(), request.code(), structure, IommufdLayout.BIND_IOMMUFD, iommufd);
    } catch (ErrnoException failure) {
      if (failure.is(Errno.EINVAL) || failure.is(Errno.EBUSY)) {
        throw taken(failure);
      }
      if (failure.is(Errno.EPERM)) {
        throw opening.failed(
            Kind.UNREACHABLE,
            failure,
            "the kernel takes this machine's IOMMU for unsafe, because it has no interrupt"
                + " remapping",
            Opening.UNTOUCHED
                + "Switch interrupt remapping on (a virtual IOMMU has an option for it), or allow"
                + " it by allow_unsafe_interrupts of iommufd.");
      }
      throw opening.callFailed(failure, Opening.UNTOUCHED);
    }
  }

  /** EBUSY means a group in use, or a group that is not viable. */
  private DeviceException taken(ErrnoException failure) {
    List<String> others =
        failure.is(Errno.EBUSY) ? ForeignGroupMembers.outsideVfio(opening.device()) : List.of();
    if (!others.isEmpty()) {
      return opening.failed(
          Kind.BUSY,
          failure,
          "other devices of its IOMMU group "
              + opening.device().iommuGroup()
              + " are bound to drivers outside VFIO: "
              + String.join(", ", others),
          Opening.UNTOUCHED
              + "Bind them to a VFIO driver, or unbind them; all devices of a group move into user"
              + " space together.");
    }
    return opening.failed(
        Kind.BUSY,
        failure,
        "another process has bound it, or has opened its group",
        Opening.UNTOUCHED
            + "End that process, or wait for it. Where there is none, its driver cannot be used"
            + " with iommufd.");
  }

  private void attach(DriverFile device, int addressSpace) throws DeviceException {
    ByteBuffer structure = NativeMemory.allocate(IommufdLayout.ATTACH_SIZE);
    structure.putInt(IommufdLayout.ATTACH_ARGSZ, IommufdLayout.ATTACH_SIZE);
    structure.putInt(IommufdLayout.ATTACH_PT_ID, addressSpace);
    try {
      call(device, VfioRequest.VFIO_DEVICE_ATTACH_IOMMUFD_PT, structure);
    } catch (ErrnoException failure) {
      throw opening.callFailed(failure, Opening.CLOSED_AGAIN);
    }
  }

  private static int call(DriverFile file, VfioRequest request, ByteBuffer structure)
      throws ErrnoException {
    return file.ioctl(request.name(), request.code(), structure);
  }
}
