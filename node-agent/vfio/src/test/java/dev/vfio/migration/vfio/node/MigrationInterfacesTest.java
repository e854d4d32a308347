package dev.vfio.migration.vfio.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.vfio.migration.vfio.access.RegionInfoBytes;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceLook;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.device.MigrationEnd;
import dev.vfio.migration.vfio.device.MigrationInterface;
import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.kernel.KernelAccess;
import dev.vfio.migration.vfio.kernel.NodeChoice;
import dev.vfio.migration.vfio.kernel.VfioModel;
import dev.vfio.migration.vfio.linux.Errno;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Which interface is chosen, and what is said where there is none. */
@Timeout(120)
class MigrationInterfacesTest {
  private static final String FEATURE = "ioctl 3b75";

  @TempDir Path folder;
  private ModelNode node;

  @BeforeEach
  void makeNode() throws IOException {
    node = new ModelNode(folder.toRealPath());
  }

  @AfterEach
  void endNode() throws InterruptedException {
    node.close();
  }

  /** What is done with an open device. */
  @FunctionalInterface
  private interface Use {
    void of(MigrationInterfaces interfaces, KernelAccess access) throws Exception;
  }

  private void use(Use use) throws Exception {
    NodeDevice device = node.inventory().find(ModelNode.ID).orElseThrow();
    node.run(
        () -> {
          try (KernelAccess access = KernelAccess.open(device, node.devices(), NodeChoice.AUTO)) {
            node.model().calls.clear();
            use.of(new MigrationInterfaces(device, access, ModelNode.PAGE), access);
          }
        });
  }

  private void isLookedAtAndOpenedAs(MigrationInterface expected) throws Exception {
    use(
        (interfaces, access) -> {
          DeviceLook look = interfaces.look();
          assertThat(look.description().migrationInterface()).isEqualTo(expected);
          assertThat(look.description().driver().driver()).isEqualTo("some-vfio-pci");
          assertThat(look.state()).isEqualTo(DeviceState.RUNNING);
          assertThat(access.isOpen()).as("the access stays the caller's").isTrue();

          try (MigratableDevice opened = interfaces.open(MigrationEnd.SOURCE, true)) {
            assertThat(opened.description()).isEqualTo(look.description());
            assertThat(opened.state()).isEqualTo(DeviceState.RUNNING);
          }
          assertThat(access.isOpen()).as("it goes with the device").isFalse();
        });
  }

  @Test
  void theFeaturesOfTodaysDriversComeFirst() throws Exception {
    node.speaks2018();
    node.speaksV2();
    isLookedAtAndOpenedAs(MigrationInterface.FEATURE_V2);
  }

  @Test
  void aRegionOf2018IsTakenWhereThereAreNoFeatures() throws Exception {
    node.speaks2018();
    isLookedAtAndOpenedAs(MigrationInterface.REGION_2018);
  }

  @Test
  void aRegionOfLinux58IsTakenWhereThereIsNothingElse() throws Exception {
    node.speaksV1();
    isLookedAtAndOpenedAs(MigrationInterface.REGION_V1);
  }

  @Test
  void anOldKernelThatKnowsNoFeaturesIsAskedForRegions() throws Exception {
    node.speaksV1();
    for (Errno unknown : new Errno[] {Errno.ENOTTY, Errno.EINVAL, Errno.EOPNOTSUPP, Errno.ENOSYS}) {
      node.model().refusals.put(FEATURE, unknown);
      isLookedAtAndOpenedAs(MigrationInterface.REGION_V1);
    }
  }

  @Test
  void aRegionThatIsBadlyDescribedHidesNoneOfTheOtherFormat() throws Exception {
    node.speaksV1();
    int behind = VfioModel.REGION_INDEX + 1;
    for (RegionInfoBytes bad :
        List.of(
            RegionInfoBytes.migration(behind, 76),
            RegionInfoBytes.migration(behind, 8192).flags(1),
            RegionInfoBytes.plain(behind, 64).type(1 << 30, 1).patch(12, 3))) {
      node.model().describesAnother(bad.toBuffer());
      isLookedAtAndOpenedAs(MigrationInterface.REGION_V1);
    }
    node.speaks2018();
    isLookedAtAndOpenedAs(MigrationInterface.REGION_2018);
    node.speaksNothing();
    node.model().describes(RegionInfoBytes.plain(VfioModel.REGION_INDEX, 8192).toBuffer());
    use(
        (interfaces, access) ->
            assertThat(catchThrowableOfType(DeviceException.class, interfaces::look).kind())
                .isEqualTo(Kind.PROTOCOL_VIOLATION));
  }

  @Test
  void aDeviceWithNoneIsRefusedWithWhatWasLookedForAndWhatToDo() throws Exception {
    node.speaksNothing();
    use(
        (interfaces, access) -> {
          DeviceException refusal = catchThrowableOfType(DeviceException.class, interfaces::look);
          assertThat(refusal.kind()).isEqualTo(Kind.NOT_MIGRATABLE);
          assertThat(refusal)
              .hasMessage(
                  "device "
                      + ModelNode.ID
                      + " (driver some-vfio-pci) cannot migrate: its driver offers no"
                      + " VFIO_DEVICE_FEATURE_MIGRATION, and none of its regions is a migration"
                      + " region of 2018 (type 1<<30) or of Linux 5.8 (type 3). Nothing was done to"
                      + " the device. Use a driver that supports migration.");
        });
    node.bindToPlainDriver();
    use(
        (interfaces, access) ->
            assertThat(catchThrowableOfType(DeviceException.class, interfaces::look))
                .hasMessageContaining("(driver vfio-pci)")
                .hasMessageEndingWith(
                    "Plain vfio-pci can move no device: bind it to its vendor's VFIO driver, such"
                        + " as mlx5_vfio_pci for a ConnectX function."));
  }

  @Test
  void aFailureIsNotTakenForAMissingInterface() throws Exception {
    node.speaks2018();
    node.model().refusals.put(FEATURE, Errno.EIO);
    use(
        (interfaces, access) -> {
          for (DeviceException failure :
              new DeviceException[] {
                catchThrowableOfType(DeviceException.class, interfaces::look),
                catchThrowableOfType(
                    DeviceException.class, () -> interfaces.open(MigrationEnd.SOURCE, true).close())
              }) {
            assertThat(failure.kind()).isEqualTo(Kind.UNREACHABLE);
            assertThat(failure.errno()).isEqualTo(Errno.EIO.number());
          }
          assertThat(node.model().calls).as("no region was asked for").containsOnly(FEATURE);
        });
  }

  @Test
  void aStateThatTheInterfaceDoesNotKnowIsRefusedByTheOneThatWasChosen() throws Exception {
    node.speaks2018();
    node.model().register(0, 99);
    use(
        (interfaces, access) ->
            assertThat(catchThrowableOfType(DeviceException.class, interfaces::look).kind())
                .isEqualTo(Kind.PROTOCOL_VIOLATION));
  }
}
