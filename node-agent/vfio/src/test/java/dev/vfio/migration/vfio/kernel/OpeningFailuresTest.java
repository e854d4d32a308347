package dev.vfio.migration.vfio.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.linux.DriverFile;
import dev.vfio.migration.vfio.linux.TestFiles;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A device that cannot be opened: what is missing, that nothing was done, and what to do. */
class OpeningFailuresTest {
  private static final String ID = "0000:65:00.1";

  @TempDir Path folder;

  private Path directory() {
    return folder.resolve("vfio");
  }

  private NodeDevice device(int group, String characterDevice) {
    return new NodeDevice(
        ID, folder.resolve("sysfs"), "vfio-pci", "", ID, "", group, characterDevice, -1, "");
  }

  private DeviceException failure(int group, String characterDevice) {
    return catchThrowableOfType(
        DeviceException.class,
        () ->
            KernelAccess.open(device(group, characterDevice), directory(), NodeChoice.AUTO)
                .close());
  }

  private DeviceException failure(int group, String characterDevice, NodeChoice choice) {
    return catchThrowableOfType(
        DeviceException.class,
        () -> KernelAccess.open(device(group, characterDevice), directory(), choice).close());
  }

  private Path file(String name) throws IOException {
    Path file = directory().resolve(name);
    Files.createDirectories(file.getParent());
    return Files.createFile(file);
  }

  @Test
  void withoutTheDirectoryTheUserIsToldToLoadAndMountIt() {
    assertThat(failure(7, "vfio0").kind()).isEqualTo(Kind.UNREACHABLE);
    assertThat(failure(7, "vfio0"))
        .hasMessage(
            "device 0000:65:00.1 cannot be opened: there is no "
                + directory()
                + " here: ENOENT (2). Nothing was done to the device. Load the kernel module vfio"
                + " and the device's VFIO driver; where the agent runs in a container, mount the"
                + " host's "
                + directory()
                + " into it.");
    for (NodeChoice choice : NodeChoice.values()) {
      assertThat(failure(7, "vfio0", choice)).hasMessageContaining("there is no " + directory());
    }
  }

  @Test
  void aDeviceWithNeitherGroupNorCharacterDeviceIsToBeBound() throws IOException {
    file("vfio");
    assertThat(failure(-1, ""))
        .hasMessageContainingAll(
            "neither an IOMMU group nor a character device",
            "Nothing was done to the device. Bind it to its VFIO driver.");
    assertThat(failure(-1, "", NodeChoice.CDEV)).hasMessageContaining("it has no character device");
  }

  @Test
  void aNodeThatIsNotThereIsNamed() throws IOException {
    file("vfio");
    assertThat(failure(7, "vfio0"))
        .hasMessageContainingAll(
            "it should be reached by " + directory() + "/7, which is not there",
            "ENOENT (2). Nothing was done to the device");
    assertThat(failure(-1, "vfio0"))
        .hasMessageContaining("reached by " + directory() + "/devices/vfio0, which is not there");
  }

  @Test
  void theNodeThatWasChosenIsNotThereAndTheOtherOneIsNotTaken() throws IOException {
    file("vfio");
    file("7");
    for (String characterDevice : new String[] {"", "vfio0"}) {
      assertThat(failure(7, characterDevice, NodeChoice.CDEV))
          .hasMessageContainingAll(
              "and the agent is set to agent.device-access=cdev",
              "Nothing was done to the device.",
              "built without VFIO_DEVICE_CDEV",
              "set agent.device-access to auto");
    }
    Files.delete(directory().resolve("7"));
    file("devices/vfio0");
    assertThat(failure(7, "vfio0", NodeChoice.GROUP))
        .hasMessageContainingAll(
            "its IOMMU group has no node " + directory() + "/7",
            "agent.device-access=group",
            "built without VFIO_GROUP");
  }

  @Test
  void aDeviceBeforeWhichNoIommuStandsIsNotOpenedByItsGroupEither() throws IOException {
    file("noiommu-7");
    assertThat(failure(7, "", NodeChoice.GROUP).kind()).isEqualTo(Kind.NOT_MIGRATABLE);
  }

  @Test
  void aDeviceBeforeWhichNoIommuStandsCannotMigrate() throws IOException {
    file("noiommu-7");
    DeviceException failure = failure(7, "");
    assertThat(failure.kind()).isEqualTo(Kind.NOT_MIGRATABLE);
    assertThat(failure)
        .hasMessageContainingAll(
            "no IOMMU stands before it", "noiommu-7", "Nothing was done to the device.");
  }

  @Test
  void aNodeWithoutADriverIsToBeBound() throws IOException {
    Files.createDirectories(directory());
    UnixDomainSocketAddress address = UnixDomainSocketAddress.of(directory().resolve("7"));
    // Opening a socket answers as opening the node of a device that was removed does.
    try (ServerSocketChannel socket = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      socket.bind(address);
      assertThat(failure(7, ""))
          .hasMessageContainingAll(
              "ENXIO (6): no driver stands behind the node any more",
              "Bind the device to its VFIO driver.");
    }
  }

  @Test
  void aGroupWithoutAContainerIsOpenedByItsCharacterDevice() throws IOException {
    file("7");
    file("devices/vfio0");
    Files.createFile(folder.resolve("iommu"));
    assertThat(failure(7, "vfio0")).hasMessageContaining("IOMMU_IOAS_ALLOC failed: ENOTTY (25)");
    file("vfio");
    assertThat(failure(7, "vfio0")).hasMessageContaining("VFIO_GROUP_GET_STATUS failed");
  }

  @Test
  void aKernelThatDoesNotKnowTheCallIsToBeRenewedAndNothingIsLeftOpen() throws IOException {
    Path group = file("7");
    Path device = file("devices/vfio0");
    Path iommu = folder.resolve("iommu");
    assertThat(failure(7, "vfio0"))
        .hasMessageContaining(
            "VFIO_GROUP_GET_STATUS failed: ENOTTY (25): this kernel does not know the call. Nothing"
                + " was done to the device. Use a newer kernel on this node.");
    assertThat(failure(7, "vfio0", NodeChoice.CDEV))
        .hasMessageContainingAll(
            "there is no " + iommu + " here", "Load the kernel module iommufd");
    Files.createFile(iommu);
    assertThat(failure(7, "vfio0", NodeChoice.CDEV))
        .hasMessageContaining("IOMMU_IOAS_ALLOC failed: ENOTTY (25)");
    for (Path file : new Path[] {group, device, iommu}) {
      assertThat(TestFiles.open(file.toString())).as("open descriptors of %s", file).isZero();
    }
  }

  @Test
  void aNodeThatIsNoFileIsRefusedByTheKernel() throws IOException {
    // A directory refuses to be opened for writing, whoever asks.
    Files.createDirectories(directory().resolve("7"));
    assertThat(failure(7, "")).hasMessageContaining("EISDIR (21): the kernel refused it");
  }

  @Test
  void anAdoptedDescriptorThatIsNoDeviceIsRefusedAndClosed() throws IOException {
    DriverFile file = TestFiles.memory("no-device", 1);
    String name = TestFiles.name(file);
    DeviceException failure =
        catchThrowableOfType(
            DeviceException.class, () -> KernelAccess.adopt(ID, file.descriptor()).close());
    assertThat(failure.kind()).isEqualTo(Kind.UNREACHABLE);
    assertThat(failure)
        .hasMessageContainingAll(
            "device 0000:65:00.1 cannot be taken over",
            "VFIO_DEVICE_GET_INFO failed: ENOTTY (25)",
            "not that of a VFIO device that is in use",
            "its holder still has it");
    assertThat(TestFiles.open(name)).isZero();
  }

  @Test
  void theOthersOfAGroupAreNamedWithTheirDrivers() throws IOException {
    Path members = Files.createDirectories(folder.resolve("sysfs/iommu_group/devices"));
    member(members, "0000:65:00.0", "nvme");
    member(members, "0000:65:00.1", "mlx5_vfio_pci");
    member(members, "0000:65:00.2", null);
    member(members, "0000:65:00.3", "e1000e");
    assertThat(ForeignGroupMembers.outsideVfio(device(7, "")))
        .containsExactly("0000:65:00.0 (nvme)", "0000:65:00.3 (e1000e)");
  }

  private void member(Path members, String name, String driver) throws IOException {
    Path device = Files.createDirectories(folder.resolve("devices").resolve(name));
    Files.createSymbolicLink(members.resolve(name), device);
    if (driver != null) {
      Path drivers = Files.createDirectories(folder.resolve("drivers").resolve(driver));
      Files.createSymbolicLink(device.resolve("driver"), drivers);
    }
  }

  @Test
  void aGroupThatSysfsDoesNotTellOfHasNoNames() {
    assertThat(ForeignGroupMembers.outsideVfio(device(7, ""))).isEmpty();
  }
}
