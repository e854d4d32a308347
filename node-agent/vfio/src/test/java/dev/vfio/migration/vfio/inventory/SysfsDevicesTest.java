package dev.vfio.migration.vfio.inventory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SysfsDevicesTest {
  private static final String UUID = "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001";
  private static final Map<String, String> NETWORK_FUNCTION =
      Map.of(
          "vendor", "0x15b3",
          "device", "0x101e",
          "subsystem_vendor", "0x15b3",
          "subsystem_device", "0x0008",
          "numa_node", "1");

  @TempDir Path directory;
  private SysfsTree tree;
  private SysfsDevices devices;

  @BeforeEach
  void makeTree() {
    tree = new SysfsTree(directory);
    devices = new SysfsDevices(tree.root(), directory.resolve("vfio"));
  }

  @Test
  void aNodeWithoutAnyDeviceListsNone() {
    assertThat(devices.list()).isEmpty();
    assertThat(devices.find(UUID)).isEmpty();
    assertThat(devices.find("0000:65:00.1")).isEmpty();
  }

  @Test
  void aPciDeviceBoundToAVfioDriverIsListedWithItsPlace() throws IOException {
    Path device = tree.pci("0000:65:00.1", NETWORK_FUNCTION);
    tree.bind(device, "pci", "mlx5_vfio_pci");
    tree.group(device, 41);
    tree.vfioDevice(device, "vfio3", "511:3");

    NodeDevice expected =
        new NodeDevice(
            "0000:65:00.1",
            device.toRealPath(),
            "mlx5_vfio_pci",
            "",
            "0000:65:00.1",
            "15b3:101e 15b3:0008",
            41,
            "vfio3",
            1,
            "");
    assertThat(devices.list()).containsExactly(expected);
    assertThat(devices.find("0000:65:00.1")).contains(expected);
    assertThat(expected.mediated()).isFalse();
  }

  /** Domains behind a bridge such as Intel VMD are numbered above ffff. */
  @Test
  void aPciDeviceInADomainOfMoreDigitsIsListed() throws IOException {
    for (String address : List.of("10000:e1:00.0", "deadbeef:00:1f.7")) {
      Path device = tree.pci(address, NETWORK_FUNCTION);
      tree.bind(device, "pci", "mlx5_vfio_pci");
      tree.group(device, address.length());
      tree.vfioDevice(device, "vfio" + address.length(), "511:" + address.length());
      assertThat(devices.find(address)).get().extracting(NodeDevice::id).isEqualTo(address);
    }
    assertThat(devices.list()).hasSize(2);
  }

  @Test
  void aPciDeviceOfAnotherDriverIsNoVfioDeviceAndTheReasonNamesTheDriver() throws IOException {
    Path device = tree.pci("0000:65:00.1", NETWORK_FUNCTION);
    tree.bind(device, "pci", "mlx5_core");
    tree.group(device, 41);

    assertThat(devices.list()).isEmpty();
    assertThat(devices.find("0000:65:00.1")).isEmpty();
    assertThat(devices.explainAbsence("0000:65:00.1")).contains("mlx5_core").contains("Bind it");
  }

  @Test
  void aPciDeviceWithoutADriverIsNoVfioDevice() throws IOException {
    tree.pci("0000:65:00.1", NETWORK_FUNCTION);
    assertThat(devices.list()).isEmpty();
    assertThat(devices.explainAbsence("0000:65:00.1")).contains("bound to no driver");
  }

  @Test
  void aDriverThatIsNotNamedSoIsKnownByWhatItRegistered() throws IOException {
    Path device = tree.pci("0000:3d:00.4", NETWORK_FUNCTION);
    tree.bind(device, "pci", "nvidia");
    tree.vfioDevice(device, "vfio0", "511:0");
    assertThat(devices.list()).extracting(NodeDevice::driver).containsExactly("nvidia");
  }

  @Test
  void aKernelWithoutNodesForSingleDevicesOffersNoCharacterDevice() throws IOException {
    Path device = tree.pci("0000:65:00.1", NETWORK_FUNCTION);
    tree.bind(device, "pci", "vfio-pci");
    tree.vfioDevice(device, "vfio3", null);
    assertThat(devices.find("0000:65:00.1").orElseThrow().characterDevice()).isEmpty();

    Files.createDirectories(directory.resolve("vfio/devices"));
    Files.createFile(directory.resolve("vfio/devices/vfio3"));
    assertThat(devices.find("0000:65:00.1").orElseThrow().characterDevice()).isEqualTo("vfio3");
  }

  @Test
  void aDeviceWithoutGroupAndNumaNodeSaysSo() throws IOException {
    Path device = tree.pci("0000:65:00.1", Map.of("numa_node", "-1"));
    tree.bind(device, "pci", "vfio-pci");
    NodeDevice found = devices.find("0000:65:00.1").orElseThrow();
    assertThat(found.iommuGroup()).isEqualTo(-1);
    assertThat(found.numaNode()).isEqualTo(-1);
    assertThat(found.pciIds()).isEmpty();
  }

  @Test
  void aMediatedDeviceOfAParentThatIsNoPciDeviceIsKnownByItsModule() throws IOException {
    Path parent = tree.directory("devices/virtual/mtty/mtty");
    Path device = tree.mediated(parent, UUID, "mtty-2");
    tree.bind(device, "mdev", "mtty_driver");
    tree.module("mdev", "mtty_driver", "mtty");
    tree.group(device, 0);
    tree.vfioDevice(device, "vfio0", null);

    NodeDevice expected =
        new NodeDevice(UUID, device.toRealPath(), "mtty", "mtty-2", "", "", 0, "", -1, "");
    assertThat(devices.list()).containsExactly(expected);
    assertThat(devices.find(UUID)).contains(expected);
    assertThat(expected.mediated()).isTrue();
  }

  @Test
  void aBuiltInMdevDriverHasNoModuleAndIsKnownByItsName() throws IOException {
    Path device = tree.mediated(tree.directory("devices/virtual/mtty/mtty"), UUID, "mtty-2");
    tree.bind(device, "mdev", "mtty");
    assertThat(devices.find(UUID).orElseThrow().driver()).isEqualTo("mtty");
  }

  @Test
  void theDriverThatAllMediatedDevicesSharedSaysNothingOfWhoMadeThem() throws IOException {
    Path device = tree.mediated(tree.directory("devices/virtual/mtty/mtty"), UUID, "mtty-2");
    tree.bind(device, "mdev", "vfio_mdev");
    tree.module("mdev", "vfio_mdev", "vfio_mdev");
    assertThat(devices.find(UUID).orElseThrow().driver()).isEmpty();
  }

  @Test
  void aMediatedDeviceOfAPciDeviceHasThatOnesDriverIdsAndNumaNode() throws IOException {
    Path parent = tree.pci("0000:3b:00.0", NETWORK_FUNCTION);
    tree.bind(parent, "pci", "i915");
    Path device = tree.mediated(parent, UUID, "i915-GVTg_V5_4");
    tree.group(device, 12);

    NodeDevice found = devices.find(UUID).orElseThrow();
    assertThat(found.driver()).isEqualTo("i915");
    assertThat(found.mdevType()).isEqualTo("i915-GVTg_V5_4");
    assertThat(found.pciAddress()).isEqualTo("0000:3b:00.0");
    assertThat(found.pciIds()).isEqualTo("15b3:101e 15b3:0008");
    assertThat(found.numaNode()).isEqualTo(1);
    assertThat(devices.list()).as("its parent is bound to no VFIO driver").hasSize(1);
  }

  @Test
  void theStreamVersionIsTheDevicesOwnBeforeItsTypes() throws IOException {
    Path parent = tree.directory("devices/virtual/vgpu/vgpu");
    Path device = tree.mediated(parent, UUID, "vgpu-4");
    SysfsTree.write(device.resolve("mdev_type").toRealPath().resolve("migration_version"), "4.2");
    assertThat(devices.find(UUID).orElseThrow().streamVersion()).isEqualTo("4.2");

    SysfsTree.write(device.resolve("migration_version"), "4.3");
    assertThat(devices.find(UUID).orElseThrow().streamVersion()).isEqualTo("4.3");
  }

  @Test
  void devicesAreListedInOrderPciFirst() throws IOException {
    Path parent = tree.directory("devices/virtual/mtty/mtty");
    tree.mediated(parent, "b3b8f4f2-509f-382f-3c1e-e6bfe0fa1001", "mtty-2");
    tree.mediated(parent, UUID, "mtty-1");
    for (String address : new String[] {"0000:65:00.2", "0000:65:00.1"}) {
      tree.bind(tree.pci(address, NETWORK_FUNCTION), "pci", "vfio-pci");
    }
    assertThat(devices.list())
        .extracting(NodeDevice::id)
        .containsExactly(
            "0000:65:00.1", "0000:65:00.2", UUID, "b3b8f4f2-509f-382f-3c1e-e6bfe0fa1001");
  }

  @Test
  void aDeviceThatIsBeingRemovedIsLeftOut() throws IOException {
    tree.link("bus/pci/devices/0000:65:00.1", tree.root().resolve("devices/gone"));
    Path device = tree.mediated(tree.directory("devices/virtual/mtty/mtty"), UUID, "mtty-2");
    Files.delete(device.resolve("mdev_type"));
    assertThat(devices.list()).isEmpty();
    assertThat(devices.find(UUID)).isEmpty();
  }

  @Test
  void onlyNamesOfDevicesAreLookedFor() throws IOException {
    tree.directory("bus/pci/drivers");
    for (String name : new String[] {"../drivers", "", ".", "0000:65:00.1/..", "65:00.1", "\n"}) {
      assertThat(devices.find(name)).isEmpty();
      assertThat(devices.explainAbsence(name)).contains("is neither a PCI address");
    }
    assertThat(devices.explainAbsence("a\nb")).doesNotContain("\n");
    assertThat(devices.explainAbsence(UUID)).contains(UUID).contains("Create it");
    assertThat(devices.explainAbsence("0000:65:00.7")).contains("no PCI device 0000:65:00.7");
  }

  @Test
  void aSysfsThatCannotBeReadIsNoEmptyNode() throws IOException {
    Path listed = tree.directory("bus/pci").resolve("devices");
    Files.createSymbolicLink(listed, listed);
    assertThatThrownBy(devices::list)
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContainingAll("bus/pci/devices", "no device was touched");
  }
}
