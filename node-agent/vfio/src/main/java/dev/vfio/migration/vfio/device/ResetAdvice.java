package dev.vfio.migration.vfio.device;

import java.util.regex.Pattern;

/** How a person resets a device, by what its id says it is. */
public final class ResetAdvice {
  private static final Pattern PCI = Pattern.compile("[0-9a-f]{4,8}(:[0-9a-f]{2}){2}\\.[0-7]");
  private static final Pattern MDEV = Pattern.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}");

  private ResetAdvice() {}

  /**
   * The commands, as a part of a sentence.
   *
   * @param id as users name the device: PCI address, mdev UUID or {@code vfio-user:NAME}
   */
  public static String of(String id) {
    if (PCI.matcher(id).matches()) {
      return "echo 1 > /sys/bus/pci/devices/" + id + "/reset";
    }
    if (MDEV.matcher(id).matches()) {
      return String.format(
          "a mediated device has no reset file, so remove it and create it anew: echo 1 >"
              + " /sys/bus/mdev/devices/%s/remove, then echo %s >"
              + " PARENT/mdev_supported_types/TYPE/create",
          id, id);
    }
    return "restart its server, the process behind its socket";
  }
}
