package dev.vfio.migration.vfio.kernel;

import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.linux.DriverFile;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.ErrnoException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What both ways to open a device share: finding its node, and words for what failed.
 *
 * @param directory {@code /dev/vfio}
 */
record Opening(NodeDevice device, Path directory) {
  static final String UNTOUCHED = "Nothing was done to the device. ";
  static final String CLOSED_AGAIN =
      "The device was opened and closed again, at which its driver may reset it. ";

  /** The device's group node; it need not exist. */
  Path groupNode() {
    return directory.resolve(Integer.toString(device.iommuGroup()));
  }

  /** The node that the group has instead where no IOMMU stands before it. */
  Path unprotectedGroupNode() {
    return directory.resolve("noiommu-" + device.iommuGroup());
  }

  Path characterDevice() {
    return directory.resolve("devices").resolve(device.characterDevice());
  }

  /**
   * @throws DeviceException where the node of that choice is not there
   */
  DeviceNode node(NodeChoice choice) throws DeviceException {
    return switch (choice) {
      case AUTO -> node();
      case GROUP -> requiredGroup();
      case CDEV -> requiredCharacterDevice();
    };
  }

  private DeviceNode requiredGroup() throws DeviceException {
    if (Files.exists(groupNode()) || Files.exists(unprotectedGroupNode())) {
      return DeviceNode.GROUP;
    }
    throw choiceMissing(
        "group",
        "its IOMMU group has no node " + groupNode(),
        "this kernel was built without VFIO_GROUP");
  }

  private DeviceNode requiredCharacterDevice() throws DeviceException {
    if (!device.characterDevice().isEmpty() && Files.exists(characterDevice())) {
      return DeviceNode.CHARACTER_DEVICE;
    }
    throw choiceMissing(
        "cdev",
        device.characterDevice().isEmpty()
            ? "it has no character device"
            : "its character device " + characterDevice() + " is not there",
        "this kernel is older than 6.6, or was built without VFIO_DEVICE_CDEV");
  }

  private DeviceException choiceMissing(String choice, String what, String reason) {
    if (!Files.isDirectory(directory)) {
      return noDirectory();
    }
    return failed(
        Kind.UNREACHABLE,
        Errno.ENOENT.number(),
        what + ", and the agent is set to agent.device-access=" + choice,
        UNTOUCHED
            + "See that it is bound to its VFIO driver. If it is, "
            + reason
            + ": set agent.device-access to auto.",
        null);
  }

  /**
   * The node the device can be opened by: the group's where there is one, and a container to put it
   * into; a kernel may have the one without the other.
   */
  private DeviceNode node() throws DeviceException {
    boolean hasGroup = device.iommuGroup() >= 0;
    boolean onlyByCharacterDevice =
        !Files.exists(directory.resolve("vfio"))
            && Files.exists(directory.resolveSibling("iommu"))
            && !device.characterDevice().isEmpty()
            && Files.exists(characterDevice());
    if (hasGroup
        && !onlyByCharacterDevice
        && (Files.exists(groupNode()) || Files.exists(unprotectedGroupNode()))) {
      return DeviceNode.GROUP;
    }
    boolean hasCharacterDevice = !device.characterDevice().isEmpty();
    if (hasCharacterDevice && Files.exists(characterDevice())) {
      return DeviceNode.CHARACTER_DEVICE;
    }
    if (!Files.isDirectory(directory)) {
      throw noDirectory();
    }
    if (!hasGroup && !hasCharacterDevice) {
      throw failed(
          Kind.UNREACHABLE,
          0,
          "it has neither an IOMMU group nor a character device",
          UNTOUCHED + "Bind it to its VFIO driver.",
          null);
    }
    throw failed(
        Kind.UNREACHABLE,
        Errno.ENOENT.number(),
        "it should be reached by "
            + (hasGroup ? groupNode() : characterDevice())
            + ", which is not there: ENOENT (2)",
        UNTOUCHED
            + "See that it is bound to its VFIO driver, and that "
            + directory
            + " is the host's where the agent runs in a container.",
        null);
  }

  private DeviceException noDirectory() {
    return failed(
        Kind.UNREACHABLE,
        Errno.ENOENT.number(),
        "there is no " + directory + " here: ENOENT (2)",
        String.format(
            "%sLoad the kernel module vfio and the device's VFIO driver; where the agent runs in a"
                + " container, mount the host's %s into it.",
            UNTOUCHED, directory),
        null);
  }

  /** Opens one of the nodes. */
  DriverFile openNode(Path node) throws DeviceException {
    try {
      return DriverFile.open(node);
    } catch (ErrnoException failure) {
      throw nodeNotOpened(node, failure);
    }
  }

  private DeviceException nodeNotOpened(Path node, ErrnoException failure) {
    if (failure.is(Errno.ENOENT) && !Files.isDirectory(directory)) {
      return noDirectory();
    }
    if (failure.is(Errno.EBUSY)) {
      return failed(
          Kind.BUSY,
          failure,
          "another process has it, or another device of its group, open",
          UNTOUCHED + "End that process, or wait for it.");
    }
    if (failure.is(Errno.EACCES) || failure.is(Errno.EPERM)) {
      return failed(
          Kind.UNREACHABLE,
          failure,
          "the agent may not open it",
          UNTOUCHED
              + "Let the agent's user read and write "
              + node
              + "; in a container that must be privileged, or be given this device.");
    }
    if (failure.is(Errno.ENOENT)) {
      return failed(
          Kind.UNREACHABLE,
          failure,
          "the node is not there",
          UNTOUCHED + "See that the kernel has the module for it, and that it is loaded.");
    }
    if (failure.is(Errno.ENODEV) || failure.is(Errno.ENXIO)) {
      return failed(
          Kind.UNREACHABLE,
          failure,
          "no driver stands behind the node any more",
          UNTOUCHED + "Bind the device to its VFIO driver.");
    }
    return callFailed(failure, UNTOUCHED);
  }

  /** A failed call whose errno has no meaning of its own at that call. */
  DeviceException callFailed(ErrnoException failure, String consequence) {
    if (failure.is(Errno.ENOTTY) || failure.is(Errno.ENOSYS)) {
      return failed(
          Kind.UNREACHABLE,
          failure,
          "this kernel does not know the call",
          consequence + "Use a newer kernel on this node.");
    }
    if (failure.is(Errno.EMFILE) || failure.is(Errno.ENFILE)) {
      return failed(
          Kind.UNREACHABLE,
          failure,
          "too many files are open",
          consequence + "Raise the agent's limit of open files.");
    }
    if (failure.is(Errno.ENODEV)) {
      return failed(
          Kind.UNREACHABLE,
          failure,
          "the device is not there any more",
          consequence + "See that it is still bound to its VFIO driver.");
    }
    return failed(
        Kind.UNREACHABLE, failure, "the kernel refused it", consequence + "Look into its log.");
  }

  /**
   * @param meaning what the errno means here
   * @param consequence what was and was not done to the device, and what to do next; sentences
   */
  DeviceException failed(Kind kind, ErrnoException failure, String meaning, String consequence) {
    return failed(
        kind, failure.errno(), failure.getMessage() + ": " + meaning, consequence, failure);
  }

  /** As the method above, for something that was found without a failed call. */
  DeviceException failed(
      Kind kind, int errno, String what, String consequence, ErrnoException cause) {
    return new DeviceException(
        kind,
        errno,
        "device " + device.id() + " cannot be opened: " + what + ". " + consequence,
        cause);
  }
}
