package dev.vfio.migration.vfio.inventory;

import java.nio.file.Path;

/**
 * A VFIO device of this node, as sysfs shows it: a PCI device bound to a VFIO driver, or a mediated
 * device. Who uses it is not known here.
 *
 * @param id as users name it: PCI address ({@code 0000:65:00.1}) or mdev UUID
 * @param sysfs its directory, links resolved
 * @param driver name of the driver it is bound to; for a mediated device the driver of its parent
 *     where the parent has one, else the module that registered it; empty where neither is known
 * @param mdevType type of a mediated device; empty for a PCI device
 * @param pciAddress its own, or its parent's; empty where neither is a PCI device
 * @param pciIds {@code vendor:device subvendor:subdevice}, hexadecimal, of that PCI device; empty
 *     where there is none
 * @param iommuGroup number of its group in {@code /dev/vfio}, -1 where it has none
 * @param characterDevice its name in {@code /dev/vfio/devices}, such as {@code vfio3}; empty where
 *     it has none
 * @param numaNode -1 where it has none
 * @param streamVersion what the driver's {@code migration_version} attribute says; empty where it
 *     has none
 */
public record NodeDevice(
    String id,
    Path sysfs,
    String driver,
    String mdevType,
    String pciAddress,
    String pciIds,
    int iommuGroup,
    String characterDevice,
    int numaNode,
    String streamVersion) {

  public boolean mediated() {
    return !mdevType.isEmpty();
  }
}
