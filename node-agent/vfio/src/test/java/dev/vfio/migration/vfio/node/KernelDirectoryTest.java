package dev.vfio.migration.vfio.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.vfio.migration.vfio.device.Continuity;
import dev.vfio.migration.vfio.device.DeviceDirectory.Entry;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.device.MigrationEnd;
import dev.vfio.migration.vfio.device.MigrationInterface;
import dev.vfio.migration.vfio.holder.ConfigurationSpace;
import dev.vfio.migration.vfio.holder.Holder;
import dev.vfio.migration.vfio.holder.StandInNode;
import dev.vfio.migration.vfio.kernel.NodeChoice;
import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.transfer.DeviceDescriptors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What is listed of a node's devices, which are opened for it, and what is closed again. */
@Timeout(120)
class KernelDirectoryTest {
  private static final String ID = ModelNode.ID;
  private static final String MIGRATION = "uid/1";

  /** Asked for the configuration space, which only gives the device a name. */
  private static final String REGION_INFO = "ioctl 3b6c";

  private static final Duration LEFT_ALONE = Duration.ofSeconds(20);

  @TempDir Path folder;
  private ModelNode node;
  private KernelDirectory directory;

  @BeforeEach
  void makeNode() throws IOException {
    node = new ModelNode(folder.toRealPath());
    node.speaksV2();
    directory = node.directory();
  }

  @AfterEach
  void endNode() throws InterruptedException {
    node.close();
  }

  private Entry look() {
    return directory.look(ID).orElseThrow();
  }

  private DeviceException refusal(MigrationEnd end) {
    return catchThrowableOfType(
        DeviceException.class, () -> directory.open(ID, end, MIGRATION).close());
  }

  // ---------------------------------------------------------------- free devices

  @Test
  void aFreeDeviceIsOpenedOnceToBeLookedAtAndClosedAgain() throws Exception {
    node.run(
        () -> {
          Entry first = look();
          assertThat(first.problem()).isNull();
          assertThat(first.description().migrationInterface())
              .isEqualTo(MigrationInterface.FEATURE_V2);
          assertThat(first.busy()).isFalse();
          assertThat(first.state()).as("nothing is left in it").isNull();
          assertThat(node.openings()).isEqualTo(1);
          assertThat(node.left()).isEmpty();

          assertThat(look().description()).isEqualTo(first.description());
          assertThat(directory.list())
              .extracting(Entry::description)
              .containsOnlyOnce(first.description());
          assertThat(node.openings()).as("what was found is remembered").isZero();
        });
  }

  @Test
  void whatWasLeftInAFreeDeviceIsListedUntilItIsReset() throws Exception {
    node.isLeftStopped();
    node.run(
        () -> {
          assertThat(look().state()).isEqualTo(DeviceState.SAVE_COMPLETED);
          node.openings();
          assertThat(directory.list().get(0).state()).isEqualTo(DeviceState.SAVE_COMPLETED);
          assertThat(node.openings()).as("a listing remembers it").isZero();

          node.speaksV2();
          assertThat(directory.list().get(0).state()).isEqualTo(DeviceState.SAVE_COMPLETED);
          assertThat(look().state()).as("who asks for it by name hears how it is now").isNull();
          assertThat(directory.list().get(0).state()).isNull();
          node.openings();
          look();
          assertThat(node.openings()).as("there is no more to be looked at").isZero();
        });
  }

  @Test
  void aListingLooksAgainAtWhatWasLeftInADevice() throws Exception {
    node.isLeftStopped();
    node.run(
        () -> {
          look();
          node.speaksV2();
          node.passes(LEFT_ALONE);
          assertThat(directory.list().get(0).state()).isNull();
        });
  }

  /** Its user may be about to come back, and would be sent away by a look. */
  @Test
  void aDeviceThatWasInUseIsLookedAtOnceItHasBeenLeftAlone() throws Exception {
    StandInNode.Child child = node.held();
    node.run(
        () -> {
          look();
          child.kill();
          node.isLeftStopped();
          node.openings();
          assertThat(look().state()).as("not looked at").isNull();
          node.passes(LEFT_ALONE.minusNanos(1));
          assertThat(directory.list().get(0).state()).isNull();
          assertThat(node.openings()).isZero();
          node.passes(Duration.ofNanos(1));
          assertThat(directory.list().get(0).state()).isEqualTo(DeviceState.SAVE_COMPLETED);
          assertThat(node.openings()).isEqualTo(1);
        });
  }

  @Test
  void whatThisAgentLeftInADeviceIsListedAtOnce() throws Exception {
    node.isLeftStopped();
    node.run(
        () -> {
          directory.open(ID, MigrationEnd.SOURCE, MIGRATION).close();
          assertThat(directory.list().get(0).description())
              .as("it is not looked at by a listing yet")
              .isNull();
          assertThat(look().state()).isEqualTo(DeviceState.SAVE_COMPLETED);
          directory.open(ID, MigrationEnd.SOURCE, MIGRATION).close();
          node.openings();
          assertThat(directory.list().get(0).state()).isEqualTo(DeviceState.STOPNCOPY);
          assertThat(node.openings()).isZero();
          node.speaksV2();
          assertThat(look().state()).isNull();
        });
  }

  /** Whatever its last close did: what it says is what is known. */
  @Test
  void aFreeDeviceThatIsOpenedIsInTheStateThatItSays() throws Exception {
    node.isLeftStopped();
    node.run(
        () -> {
          try (MigratableDevice device = directory.open(ID, MigrationEnd.DESTINATION, MIGRATION)) {
            assertThat(directory.continuity(ID)).isEqualTo(Continuity.FRESH);
            assertThat(device.state().leftOver()).isTrue();
            assertThat(directory.heldByOthers(ID)).isFalse();
          }
        });
  }

  @Test
  void whoElseHoldsADeviceThatIsOpenHereIsFoundOut() throws Exception {
    StandInNode.Child child = node.held();
    node.run(
        () -> {
          try (MigratableDevice device = directory.open(ID, MigrationEnd.SOURCE, MIGRATION)) {
            assertThat(device.state()).isEqualTo(DeviceState.RUNNING);
            assertThat(directory.heldByOthers(ID)).isTrue();
            child.kill();
            assertThat(directory.heldByOthers(ID)).isFalse();
          }
          assertThat(catchThrowableOfType(DeviceException.class, () -> directory.heldByOthers(ID)))
              .hasMessageContaining("is not open in this agent");
        });
  }

  @Test
  void aDeviceMadeInThePlaceOfAnotherIsLookedAtAnew() throws Exception {
    node.run(
        () -> {
          look();
          node.openings();
          node.makeAnew();
          assertThat(look().description()).isNotNull();
          assertThat(node.openings()).isEqualTo(1);
        });
  }

  @Test
  void aDeviceThatIsBoundToAnotherDriverIsLookedAtAnew() throws Exception {
    node.run(
        () -> {
          assertThat(look().description()).isNotNull();
          node.openings();
          node.bindToPlainDriver();
          assertThat(look().description().driver().driver()).isEqualTo("vfio-pci");
          assertThat(node.openings()).isEqualTo(1);
        });
  }

  @Test
  void aListingLeavesANewDeviceToWhomItWasMadeFor() throws Exception {
    node.run(
        () -> {
          for (int listing = 0; listing < 2; listing++) {
            Entry left = directory.list().get(0);
            assertThat(left.description()).isNull();
            assertThat(left.problem().kind()).isEqualTo(Kind.UNREACHABLE);
            assertThat(left.problem())
                .hasMessageContainingAll(
                    ID + " was first seen less than 20 s ago", "Ask again later");
            node.passes(LEFT_ALONE.minusNanos(1).dividedBy(2));
          }
          assertThat(node.openings()).isZero();
          node.passes(Duration.ofNanos(2));
          assertThat(directory.list().get(0).description()).isNotNull();
        });
  }

  @Test
  void aNewDeviceThatIsAskedForByItsNameIsLookedAtAtOnce() throws Exception {
    node.run(
        () -> {
          directory.list();
          assertThat(look().description()).isNotNull();
        });
  }

  @Test
  void theTimeOfANewDeviceBeginsAgainWhereAnotherTakesItsPlace() throws Exception {
    node.run(
        () -> {
          directory.list();
          node.passes(LEFT_ALONE);
          node.makeAnew();
          assertThat(directory.list().get(0).description()).isNull();
          assertThat(node.openings()).isZero();
        });
  }

  @Test
  void thatADeviceCannotMigrateIsRememberedAsWell() throws Exception {
    node.bindToPlainDriver();
    node.speaksNothing();
    node.run(
        () -> {
          Entry first = look();
          assertThat(first.description()).isNull();
          assertThat(first.busy()).isFalse();
          assertThat(first.problem().kind()).isEqualTo(Kind.NOT_MIGRATABLE);
          assertThat(first.problem()).hasMessageContaining("Plain vfio-pci can move no device");
          assertThat(node.left()).isEmpty();
          assertThat(look().problem()).isSameAs(first.problem());
          assertThat(node.openings()).isEqualTo(1);
        });
  }

  @Test
  void aRefusalIsLookedIntoAgainOnceSomebodyAsksForTheDevice() throws Exception {
    node.speaksNothing();
    node.run(
        () -> {
          assertThat(look().problem().kind()).isEqualTo(Kind.NOT_MIGRATABLE);
          node.speaksV2();
          node.passes(LEFT_ALONE);
          assertThat(directory.list().get(0).problem()).as("a listing remembers it").isNotNull();
          assertThat(look().description()).as("its driver was set up since").isNotNull();
          assertThat(directory.list().get(0).description()).isNotNull();
        });
  }

  @Test
  void aDriverThatReportsNoStateBeforeItIsAskedForOneCanMigrate() throws Exception {
    node.model().featureRefusals.put(2, Errno.EINVAL);
    node.run(
        () -> {
          assertThat(look().description()).isNotNull();
          assertThat(look().state()).as("nothing is left in it").isNull();
          assertThat(directory.list().get(0).problem()).isNull();
          for (MigrationEnd end : MigrationEnd.values()) {
            try (MigratableDevice device = directory.open(ID, end, MIGRATION)) {
              assertThat(device.state()).isEqualTo(DeviceState.RUNNING);
            }
          }
        });
  }

  @Test
  void thatADeviceIsBusyIsNotRemembered() throws Exception {
    node.model().refusals.put(node.openingGroup(), Errno.EBUSY);
    node.run(
        () -> {
          Entry busy = look();
          assertThat(busy.busy()).isTrue();
          assertThat(busy.problem().kind()).isEqualTo(Kind.BUSY);
          assertThat(busy.holder()).isNull();
          node.model().refusals.clear();
          assertThat(look().description()).isNotNull();
        });
  }

  @Test
  void aDriverThatFailsOnceIsNotTakenForOneThatCannotMigrate() throws Exception {
    node.model().refusals.put("ioctl 3b75", Errno.EIO);
    node.run(
        () -> {
          Entry failed = look();
          assertThat(failed.description()).isNull();
          assertThat(failed.problem().kind()).isEqualTo(Kind.UNREACHABLE);
          assertThat(failed.problem().errno()).isEqualTo(Errno.EIO.number());
          node.model().refusals.clear();
          assertThat(look().description()).isNotNull();
        });
  }

  @Test
  void whateverCallOfALookFailsNothingIsLeftOpen() throws Exception {
    node.run(() -> look());
    List<String> calls = List.copyOf(node.model().calls);
    assertThat(calls).hasSizeGreaterThan(8);
    for (int call = 0; call < calls.size(); call++) {
      directory = node.directory();
      failAt(call);
      boolean needed = !calls.get(call).equals(REGION_INFO);
      node.run(() -> assertThat(look().problem() != null).isEqualTo(needed));
    }
  }

  private void failAt(int call) {
    node.model().calls.clear();
    node.model().refusedAt = call;
  }

  // ---------------------------------------------------------------- devices that somebody holds

  @Test
  void aHeldDeviceIsLookedAtThroughItsHolderAndNeverOpened() throws Exception {
    StandInNode.Child child = node.held();
    node.run(
        () -> {
          Entry held = directory.list().get(0);
          assertThat(held.problem()).isNull();
          assertThat(held.busy()).isTrue();
          assertThat(held.state()).isEqualTo(DeviceState.RUNNING);
          assertThat(held.holder().pid()).isEqualTo(child.pid());
          assertThat(node.left()).as("its holder's alone").isEmpty();
          assertThat(node.openings()).isZero();
        });
  }

  @Test
  void whatWasFoundOfAHeldDeviceIsRememberedWhenItIsFree() throws Exception {
    StandInNode.Child child = node.held();
    node.run(
        () -> {
          Entry held = look();
          child.kill();
          Entry free = look();
          assertThat(free.description()).isEqualTo(held.description());
          assertThat(free.busy()).isFalse();
          assertThat(free.holder()).isNull();
          assertThat(node.openings()).isZero();
        });
  }

  @Test
  void aDeviceOfAVirtualMachineIsNotEvenLookedAt() throws Exception {
    monitor();
    node.run(
        () -> {
          Entry held = look();
          assertThat(held.busy()).isTrue();
          assertThat(held.holder().virtualMachineMonitor()).isTrue();
          assertThat(held.problem().kind()).isEqualTo(Kind.NOT_MIGRATABLE);
          assertThat(held.problem())
              .hasMessageContainingAll(
                  ID + " belongs to a virtual machine", "Nothing was done to the device");
          for (MigrationEnd end : MigrationEnd.values()) {
            assertThat(refusal(end).kind()).isEqualTo(Kind.NOT_MIGRATABLE);
          }
          assertThat(node.model().calls).isEmpty();
        });
  }

  /** A process with the name of a monitor. */
  private void monitor() throws Exception {
    node.model().isAlso(node.processes().deviceFile());
    Path program = folder.resolve("qemu-system-x86_64");
    Files.copy(Path.of("/bin/sleep").toRealPath(), program);
    Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
    StandInNode.Child child =
        node.processes()
            .start("exec 7<>$DEVICE 8<>$GROUP; echo ready; exec $FOLDER/qemu-system-x86_64 300");
    Path command = Path.of("/proc", Long.toString(child.pid()), "comm");
    // The shell becomes that program after it was ready.
    while (Files.readString(command).startsWith("sh")) {
      Thread.onSpinWait();
    }
  }

  @Test
  void whoHoldsItBeingUnclearTheDeviceIsBusyAndNotTouched() throws Exception {
    node.held();
    node.processes().startHolder();
    node.run(
        () -> {
          Entry unclear = look();
          assertThat(unclear.busy()).isTrue();
          assertThat(unclear.problem()).hasMessageContaining("2 different descriptors may be it");
          assertThat(refusal(MigrationEnd.SOURCE).kind()).isEqualTo(Kind.BUSY);
          assertThat(node.model().calls).isEmpty();
        });
  }

  @Test
  void aDeviceSaysOneAndTheSameOfItselfToWhoLooksForItAndToWhoNamesIt() throws Exception {
    node.model().configures(0x10411af4, 0x11001af4);
    node.held();
    Holder holder =
        node.processes().holders().of(node.inventory().find(ID).orElseThrow()).orElseThrow();
    node.run(
        () -> {
          Descriptor duplicate = node.processes().holders().adopt(holder);
          assertThat(new ConfigurationSpace().read(duplicate)).contains(StandInNode.IDS);
          assertThat(look().description().model()).isEqualTo("1af4:1041:1af4:1100");
        });
  }

  // ---------------------------------------------------------------- opening

  @Test
  void aSourceIsAdoptedFromItsHolderAndKeptAsItIs() throws Exception {
    node.held();
    node.run(
        () -> {
          try (MigratableDevice device = directory.open(ID, MigrationEnd.SOURCE, MIGRATION)) {
            assertThat(device.state()).isEqualTo(DeviceState.RUNNING);
            assertThat(directory.continuity(ID)).isEqualTo(Continuity.KEPT);
            DeviceDescriptors here = directory.openHere(ID).orElseThrow();
            assertThat(here.companions()).isEmpty();
            assertThat(node.left()).containsExactly(node.processes().deviceFile().toString());
            Entry shown = look();
            assertThat(shown.busy()).isTrue();
            assertThat(shown.description()).isEqualTo(device.description());
          }
          assertThat(directory.openHere(ID)).isEmpty();
          assertThat(node.openings()).isZero();
        });
  }

  @Test
  void aFreeDeviceIsOpenedFreshWithAllThatBelongsToIt() throws Exception {
    node.run(
        () -> {
          assertThat(directory.continuity(ID)).isEqualTo(Continuity.UNKNOWN);
          try (MigratableDevice device = directory.open(ID, MigrationEnd.DESTINATION, MIGRATION)) {
            assertThat(directory.continuity(ID)).isEqualTo(Continuity.FRESH);
            assertThat(directory.openHere(ID).orElseThrow().companions().keySet())
                .containsExactly("group", "container");
            assertThat(directory.openHere(ID).orElseThrow().migrationInterface())
                .isEqualTo(device.description().migrationInterface());
            assertThat(node.left()).hasSize(3);
          }
        });
  }

  @Test
  void aFreeDeviceIsOpenedAndTransferredByWhatTheAgentIsSetTo() throws Exception {
    node.hasCharacterDevice();
    directory = node.directory(NodeChoice.CDEV);
    node.run(
        () -> {
          assertThat(look().description()).isNotNull();
          try (MigratableDevice device = directory.open(ID, MigrationEnd.DESTINATION, MIGRATION)) {
            DeviceDescriptors here = directory.openHere(ID).orElseThrow();
            assertThat(here.companions().keySet()).containsExactly("iommufd");
            assertThat(here.ioas()).isPresent();
            assertThat(node.left()).hasSize(2);
            assertThat(device.description().id()).isEqualTo(ID);
          }
        });
    assertThat(node.model().calls).noneMatch(call -> call.startsWith(node.openingGroup()));
  }

  @Test
  void aDeviceIsOpenForOneMigrationAtATime() throws Exception {
    node.run(
        () -> {
          try (MigratableDevice first = directory.open(ID, MigrationEnd.DESTINATION, MIGRATION)) {
            assertThat(first.description().id()).isEqualTo(ID);
            DeviceException second = refusal(MigrationEnd.DESTINATION);
            assertThat(second.kind()).isEqualTo(Kind.BUSY);
            assertThat(second)
                .hasMessage("device " + ID + " is open in this agent for another migration");
            assertThat(node.left()).as("the first has all that it had").hasSize(3);
          }
          directory.open(ID, MigrationEnd.DESTINATION, "uid/2").close();
        });
  }

  @Test
  void aDeviceInUseTakesNothingInUnlessItsHolderWasGivenItForThisMigration() throws Exception {
    StandInNode.Child child = node.held();
    node.received.add("uid/0");
    node.run(
        () -> {
          DeviceException refusal = refusal(MigrationEnd.DESTINATION);
          assertThat(refusal.kind()).isEqualTo(Kind.BUSY);
          assertThat(refusal)
              .hasMessageContainingAll(
                  ID + " is in use here by process " + child.pid(),
                  "It was not touched; choose a free device");
          assertThat(node.model().calls).isEmpty();

          node.received.add(MIGRATION);
          directory.open(ID, MigrationEnd.DESTINATION, MIGRATION).close();
          assertThat(directory.continuity(ID)).isEqualTo(Continuity.KEPT);
        });
  }

  /** A driver or a file system that never answers one thread; no call can be interrupted there. */
  @Test
  void aThreadThatHangsAtADeviceKeepsNoOtherWaitingForEver() throws Exception {
    node.held();
    CountDownLatch hangs = new CountDownLatch(1);
    CountDownLatch answers = new CountDownLatch(1);
    directory =
        node.directory(
            NodeChoice.AUTO,
            (holder, migration) -> {
              hangs.countDown();
              try {
                return !answers.await(60, TimeUnit.SECONDS);
              } catch (InterruptedException interrupted) {
                throw new AssertionError(interrupted);
              }
            });
    CompletableFuture<DeviceException> hanging =
        CompletableFuture.supplyAsync(() -> refusal(MigrationEnd.DESTINATION));
    assertThat(hangs.await(60, TimeUnit.SECONDS)).isTrue();
    for (DeviceException refusal : List.of(look().problem(), refusal(MigrationEnd.SOURCE))) {
      assertThat(refusal.kind()).isEqualTo(Kind.UNREACHABLE);
      assertThat(refusal.errno()).isEqualTo(Errno.ETIMEDOUT.number());
      assertThat(refusal)
          .hasMessageContainingAll(
              ID, "has not answered another thread of this agent for more than", "dmesg");
    }
    answers.countDown();
    assertThat(hanging.get(60, TimeUnit.SECONDS).kind()).isEqualTo(Kind.BUSY);
  }

  @Test
  void whateverCallOfAnOpeningFailsNothingIsLeftOpenAndTheDeviceIsFree() throws Exception {
    node.run(() -> directory.open(ID, MigrationEnd.DESTINATION, MIGRATION).close());
    List<String> calls = List.copyOf(node.model().calls);
    for (int call = 0; call < calls.size(); call++) {
      failAt(call);
      boolean needed = !calls.get(call).equals(REGION_INFO);
      node.run(() -> assertThat(refusal(MigrationEnd.DESTINATION) != null).isEqualTo(needed));
    }
    node.model().refusedAt = -1;
    node.run(() -> directory.open(ID, MigrationEnd.DESTINATION, MIGRATION).close());
  }

  @Test
  void whateverCallOfAnAdoptionFailsOnlyTheHoldersDescriptorIsLeft() throws Exception {
    node.held();
    node.run(() -> directory.open(ID, MigrationEnd.SOURCE, MIGRATION).close());
    List<String> calls = List.copyOf(node.model().calls);
    assertThat(calls).hasSizeGreaterThan(2);
    for (int call = 0; call < calls.size(); call++) {
      failAt(call);
      boolean needed = !calls.get(call).equals(REGION_INFO);
      node.run(() -> assertThat(refusal(MigrationEnd.SOURCE) != null).isEqualTo(needed));
    }
  }

  @Test
  void aDeviceThatIsNotThereIsExplained() throws Exception {
    DeviceException absent =
        catchThrowableOfType(DeviceException.class, () -> directory.open("0000:01:00.0"));
    assertThat(absent.kind()).isEqualTo(Kind.UNKNOWN_DEVICE);
    assertThat(absent).hasMessageContaining("this node has no PCI device 0000:01:00.0");
    assertThat(directory.look("0000:01:00.0").orElseThrow().problem())
        .hasFieldOrPropertyWithValue("kind", Kind.UNKNOWN_DEVICE)
        .hasMessageContainingAll("no PCI device 0000:01:00.0", "Name one that exists");
    assertThat(directory.list()).extracting(Entry::id).doesNotContain("0000:01:00.0");
    assertThat(directory.openHere("0000:01:00.0")).isEmpty();
    assertThat(directory.continuity("0000:01:00.0")).isEqualTo(Continuity.UNKNOWN);
  }
}
