package dev.vfio.migration.vfio.kernel;

import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.linux.DriverFile;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.NativeMemory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;

/** Opens a device by its group, in a container of its own with a type 1 IOMMU. */
final class GroupOpening {
  private final Opening opening;

  GroupOpening(Opening opening) {
    this.opening = opening;
  }

  /**
   * @throws DeviceException where a step fails; nothing stays open then
   */
  OpenedDevice open() throws DeviceException {
    Path groupNode = opening.groupNode();
    if (!Files.exists(groupNode) && Files.exists(opening.unprotectedGroupNode())) {
      throw withoutIommu();
    }
    LinkedHashMap<String, DriverFile> companions = new LinkedHashMap<>();
    try {
      DriverFile group = opening.openNode(groupNode);
      companions.put("group", group);
      requireViable(group);
      DriverFile container = opening.openNode(opening.directory().resolve("vfio"));
      companions.put("container", container);
      requireType1(container);
      join(group, container);
      return new OpenedDevice(device(group), companions);
    } catch (Throwable failure) {
      companions.values().forEach(DriverFile::close);
      throw failure;
    }
  }

  private DeviceException withoutIommu() {
    return opening.failed(
        Kind.NOT_MIGRATABLE,
        0,
        "no IOMMU stands before it (its group is " + opening.unprotectedGroupNode() + ")",
        Opening.UNTOUCHED
            + "Its DMA goes to physical addresses, which cannot move to another machine. Switch the"
            + " node's IOMMU on and bind the device without no-IOMMU mode.",
        null);
  }

  private void requireViable(DriverFile group) throws DeviceException {
    ByteBuffer status = NativeMemory.allocate(GroupLayout.STATUS_SIZE);
    status.putInt(GroupLayout.STATUS_ARGSZ, GroupLayout.STATUS_SIZE);
    try {
      call(group, VfioRequest.VFIO_GROUP_GET_STATUS, status);
    } catch (ErrnoException failure) {
      throw opening.callFailed(failure, Opening.UNTOUCHED);
    }
    int flags = status.getInt(GroupLayout.STATUS_FLAGS);
    if ((flags & GroupLayout.FLAG_VIABLE) == 0) {
      List<String> others = ForeignGroupMembers.outsideVfio(opening.device());
      throw opening.failed(
          Kind.BUSY,
          0,
          String.format(
              "its IOMMU group %s is not viable, because %s",
              opening.device().iommuGroup(),
              others.isEmpty()
                  ? "a driver outside VFIO has another device of it"
                  : "other devices of it are bound to drivers outside VFIO: "
                      + String.join(", ", others)),
          Opening.UNTOUCHED
              + "Bind them to a VFIO driver, or unbind them; all devices of a group move into user"
              + " space together.",
          null);
    }
  }

  private void requireType1(DriverFile container) throws DeviceException {
    int version;
    int type1;
    try {
      version = call(container, VfioRequest.VFIO_GET_API_VERSION, 0);
      type1 = call(container, VfioRequest.VFIO_CHECK_EXTENSION, GroupLayout.TYPE1V2_IOMMU);
    } catch (ErrnoException failure) {
      throw opening.callFailed(failure, Opening.UNTOUCHED);
    }
    if (version != GroupLayout.API_VERSION) {
      throw opening.failed(
          Kind.UNREACHABLE,
          0,
          "this kernel speaks version "
              + version
              + " of VFIO and this agent version "
              + GroupLayout.API_VERSION,
          Opening.UNTOUCHED + "Use an agent that was made for this kernel.",
          null);
    }
    if (type1 == 0) {
      throw opening.failed(
          Kind.UNREACHABLE,
          0,
          "this kernel offers no type 1 version 2 IOMMU to VFIO",
          Opening.UNTOUCHED
              + "Load the kernel module vfio_iommu_type1; other IOMMU types are not supported.",
          null);
    }
  }

  private void join(DriverFile group, DriverFile container) throws DeviceException {
    try {
      VfioRequest request = VfioRequest.VFIO_GROUP_SET_CONTAINER;
      ByteBuffer number = NativeMemory.allocate(Integer.BYTES);
      group.ioctl(request.name(), request.code(), number, 0, container);
      call(container, VfioRequest.VFIO_SET_IOMMU, GroupLayout.TYPE1V2_IOMMU);
    } catch (ErrnoException failure) {
      if (failure.is(Errno.EPERM)) {
        throw opening.failed(
            Kind.UNREACHABLE,
            failure,
            "the kernel takes this machine's IOMMU for unsafe, because it has no interrupt"
                + " remapping, or the group is not its user's",
            Opening.UNTOUCHED
                + "Switch interrupt remapping on (a virtual IOMMU has an option for it), or allow"
                + " it by allow_unsafe_interrupts of vfio_iommu_type1.");
      }
      throw opening.callFailed(failure, Opening.UNTOUCHED);
    }
  }

  private DriverFile device(DriverFile group) throws DeviceException {
    byte[] name = opening.device().id().getBytes(StandardCharsets.UTF_8);
    ByteBuffer terminated = ByteBuffer.allocateDirect(name.length + 1).put(0, name);
    try {
      return DriverFile.installed(call(group, VfioRequest.VFIO_GROUP_GET_DEVICE_FD, terminated));
    } catch (ErrnoException failure) {
      if (failure.is(Errno.ENODEV)) {
        throw opening.failed(
            Kind.UNREACHABLE,
            failure,
            "no device of that name in IOMMU group "
                + opening.device().iommuGroup()
                + " is bound to a VFIO driver",
            Opening.UNTOUCHED + "Bind it to its VFIO driver.");
      }
      if (failure.is(Errno.EBUSY)) {
        throw opening.failed(
            Kind.BUSY,
            failure,
            "another process has it open",
            Opening.UNTOUCHED + "End that process, or wait for it.");
      }
      throw opening.callFailed(failure, Opening.UNTOUCHED);
    }
  }

  private static int call(DriverFile file, VfioRequest request, long argument)
      throws ErrnoException {
    return file.ioctl(request.name(), request.code(), argument);
  }

  private static int call(DriverFile file, VfioRequest request, ByteBuffer structure)
      throws ErrnoException {
    return file.ioctl(request.name(), request.code(), structure);
  }
}
