package dev.vfio.migration.vfio.transfer;

import static dev.vfio.migration.vfio.transfer.TransferFixture.LONG;
import static dev.vfio.migration.vfio.transfer.TransferFixture.MIGRATION;
import static dev.vfio.migration.vfio.transfer.TransferFixture.SHORT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.vfio.freezer.TestCgroup;
import dev.vfio.migration.vfio.holder.StandInNode;
import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.OpenDescriptors;
import dev.vfio.migration.vfio.linux.OpenFile;
import dev.vfio.migration.vfio.memory.WindowFile;
import dev.vfio.migration.vfio.workload.WorkloadDescription;
import dev.vfio.migration.vfio.workload.WorkloadException;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A workload that uses its device stands still, runs on, or ends; and its memory is its own. */
@Timeout(120)
class UsingWorkloadTest {

  @TempDir Path folder;
  private TransferFixture fixture;
  private TestCgroup cgroup;

  /** In the tmpfs that every Linux machine has. */
  private Path shared;

  @BeforeEach
  void open() throws IOException {
    cgroup = TestCgroup.make();
    shared = Files.createTempDirectory(Path.of("/dev/shm"), "declared-memory");
    fixture = new TransferFixture(folder);
  }

  @AfterEach
  void close() throws Exception {
    if (fixture != null) {
      fixture.close();
      cgroup.close();
      Files.deleteIfExists(shared.resolve("memory"));
      Files.delete(shared);
    }
  }

  /** Starts a process in a cgroup of its own that holds the device and a file of memory. */
  private StandInNode.Child owner() throws IOException {
    Files.write(shared.resolve("memory"), new byte[8192]);
    return fixture.node.start(
        "echo $$ > "
            + cgroup.directory()
            + "/cgroup.procs; exec 4>$FOLDER/written 5<>"
            + shared
            + "/memory 7<>$DEVICE 8<>$GROUP; echo ready; while read line; do echo $line; done");
  }

  private void declare(String windows) throws IOException {
    Files.writeString(
        fixture.memoryFile(),
        "{\"protocol\":1,\"workload\":\"shop-db\",\"windows\":" + windows + "}");
  }

  private static String window(long iova, long size, int number) {
    return "{\"name\":\"w"
        + iova
        + "\",\"iova\":"
        + iova
        + ",\"size\":"
        + size
        + ",\"fd\":"
        + number
        + ",\"logged\":true}";
  }

  @Test
  void itIsFrozenRunsOnAndIsKilled() throws Exception {
    StandInNode.Child child = owner();
    KernelWorkload workload = fixture.workload(LONG);
    assertThat(workload.describe())
        .isEqualTo(new WorkloadDescription("sh", WorkloadState.RUNNING, StandInNode.ID, List.of()));

    workload.pause(MIGRATION);
    assertThat(workload.describe().state()).isEqualTo(WorkloadState.PAUSED);
    workload.pause(MIGRATION);
    workload.resume(MIGRATION);
    assertThat(workload.describe().state()).isEqualTo(WorkloadState.RUNNING);
    assertThat(child.ask("on")).isEqualTo("on");
    workload.resume(MIGRATION);

    declare("[]");
    workload.pause(MIGRATION);
    workload.release(MIGRATION);
    assertThat(fixture.holders.of(fixture.node.device())).isEmpty();
    assertThat(fixture.ledger.entries()).isEmpty();
    assertThat(fixture.memoryFile()).as("of a workload that is gone").doesNotExist();
    workload.release(MIGRATION);
    workload.close();
  }

  /** Whatever would keep it from standing still is said while it runs, by the listing too. */
  @Test
  void aWorkloadThatCouldNotStandStillIsRefusedBeforeAnythingIsTouched() throws Exception {
    StandInNode.Child child = owner();
    KernelWorkload workload = fixture.workload(LONG);

    Files.writeString(TestCgroup.root().resolve("cgroup.procs"), Long.toString(child.pid()));
    assertThatThrownBy(workload::describe)
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("is not frozen: it is the root")
        .hasMessageContaining("Nothing was done to it");
    assertThat(workload.state()).as("what it does is told").isEqualTo(WorkloadState.RUNNING);
  }

  @Test
  void aWorkloadThatTheAgentWouldStandStillWithIsRefusedBeforeAnythingIsTouched() throws Exception {
    owner();
    cgroup.add(ProcessHandle.current().pid());
    try {
      assertThatThrownBy(fixture.workload(LONG)::describe)
          .hasMessageContaining("this agent is in it");
    } finally {
      Files.writeString(
          TestCgroup.root().resolve("cgroup.procs"), Long.toString(ProcessHandle.current().pid()));
    }
  }

  @Test
  void aWorkloadWhoseCgroupIsFrozenForAnotherDeviceIsRefusedBeforeAnythingIsTouched()
      throws Exception {
    owner();
    Path entries = folder.resolve("ledger");
    Files.writeString(
        entries.resolve("0000_3a66_3a00_2e0.json"),
        "{\"device\":\"0000:66:00.0\",\"migration\":\"uid-2/1\",\"cgroup\":\""
            + cgroup.path()
            + "\",\"process\":1,\"startTime\":1}");
    assertThatThrownBy(fixture.workload(LONG)::describe)
        .isInstanceOf(WorkloadException.class)
        .hasMessageContainingAll("is frozen already", "uid-2/1", "0000:66:00.0");
  }

  /** Its entry could not be read in the pause either. */
  @Test
  void aWorkloadWhoseLedgerIsDamagedIsRefusedBeforeAnythingIsTouched() throws Exception {
    owner();
    Files.writeString(folder.resolve("ledger").resolve("0000_3a65_3a00_2e1.json"), "");
    assertThatThrownBy(fixture.workload(LONG)::describe).hasMessageContaining("ledger");
  }

  @Test
  void whatOneMigrationHasFrozenNoOtherThawsOrKills() throws Exception {
    StandInNode.Child child = owner();
    KernelWorkload workload = fixture.workload(LONG);
    workload.pause(MIGRATION);
    assertThatThrownBy(() -> workload.resume("another/1"))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContainingAll(MIGRATION, "another/1");
    assertThatThrownBy(() -> workload.release("another/1"))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContainingAll(MIGRATION, "another/1");
    assertThat(workload.describe().state()).isEqualTo(WorkloadState.PAUSED);
    assertThat(child.lives()).isTrue();
    workload.resume(MIGRATION);
  }

  @Test
  void aWorkloadThatStartsHereAfterTheReleaseIsNotReleasedWithIt() throws Exception {
    owner();
    KernelWorkload workload = fixture.workload(LONG);
    workload.pause(MIGRATION);
    workload.release(MIGRATION);
    StandInNode.Child next = fixture.node.startHolder();

    workload.release(MIGRATION);

    assertThat(next.lives()).isTrue();
  }

  @Test
  void anAgentThatComesBackResumesWhatItFroze() throws Exception {
    StandInNode.Child child = owner();
    fixture.workload(LONG).pause(MIGRATION);

    fixture.restartAgent();
    assertThat(fixture.workload(LONG).describe().state()).isEqualTo(WorkloadState.PAUSED);
    fixture.workload(LONG).resume(MIGRATION);

    assertThat(child.ask("on")).isEqualTo("on");
  }

  @Test
  void theDeviceIsAdoptedFromAFrozenWorkloadAndOutlivesIt() throws Exception {
    owner();
    fixture.workload(LONG).pause(MIGRATION);
    try (Descriptor adopted = fixture.holders.adopt(fixture.holder())) {
      fixture.workload(LONG).release(MIGRATION);

      assertThat(Files.readString(OpenFile.path(adopted))).isEqualTo(StandInNode.IDS);
    }
  }

  @Test
  void aWorkloadThatDiedWhileFrozenIsNamed() throws Exception {
    StandInNode.Child child = owner();
    KernelWorkload workload = fixture.workload(LONG);
    workload.pause(MIGRATION);
    child.kill();

    assertThatThrownBy(workload::describe)
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("process " + child.pid())
        .hasMessageContaining("died while its cgroup " + cgroup.path() + " was frozen")
        .hasMessageContaining(
            "cannot be given to anybody, and is lost once the migration is rolled")
        .hasMessageContaining("Start the workload anew");
    assertThatThrownBy(() -> workload.resume(MIGRATION))
        .isInstanceOfSatisfying(
            WorkloadException.class, failure -> assertThat(failure.errno()).isEqualTo(3))
        .hasMessageContaining("died while its cgroup");
    assertThat(cgroup.frozen()).as("what else is in the cgroup runs").isFalse();
    assertThat(fixture.ledger.entries()).isEmpty();
    assertThatThrownBy(() -> workload.resume(MIGRATION))
        .hasMessageContaining("nobody holds the device 0000:65:00.1 any more");
  }

  @Test
  void aWorkloadThatDiedBeforeItWasFrozenIsNamed() throws Exception {
    StandInNode.Child child = owner();
    KernelWorkload workload = fixture.workload(SHORT);
    workload.describe();
    child.kill();

    assertThatThrownBy(() -> workload.pause(MIGRATION))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("nobody holds the device 0000:65:00.1 any more")
        .hasMessageContaining("Nothing was frozen");
    assertThat(fixture.ledger.entries()).isEmpty();
  }

  @Test
  void aWorkloadThatSomebodyElseFrozeIsPausedAndNotThawed() throws Exception {
    owner();
    cgroup.write("cgroup.freeze", "1");
    cgroup.await("frozen 1");
    KernelWorkload workload = fixture.workload(LONG);

    workload.resume(MIGRATION);

    assertThat(workload.describe().state()).isEqualTo(WorkloadState.PAUSED);
    assertThat(cgroup.frozen()).isTrue();
  }

  @Test
  void aVirtualMachineIsNeverTouched() throws Exception {
    Path program = folder.resolve("cloud-hypervisor");
    Files.copy(Path.of("/bin/sleep").toRealPath(), program);
    Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
    fixture.node.start("exec 7<>$DEVICE 8<>$GROUP; echo ready; exec $FOLDER/cloud-hypervisor 300");
    KernelWorkload workload = fixture.workload(LONG);
    while (!fixture.holder().virtualMachineMonitor()) {
      Thread.onSpinWait();
    }

    for (Step step : List.<Step>of(workload::describe, () -> workload.pause(MIGRATION))) {
      assertThatThrownBy(step::run)
          .isInstanceOf(WorkloadException.class)
          .hasMessageContaining("(cloud-hyperviso), a virtual machine monitor")
          .hasMessageContaining("Migrate the virtual machine by its monitor's own means");
    }
    assertThat(fixture.ledger.entries()).isEmpty();
  }

  private interface Step {
    void run() throws IOException;
  }

  @Test
  void whoeverElseLooksLikeTheHolderIsNeitherFrozenNorKilled() throws Exception {
    StandInNode.Child owner = owner();
    String name = fixture.node.addCharacterDevice();
    fixture.device = fixture.node.device(StandInNode.IDS, name);
    fixture.adoptDevice();
    Files.writeString(folder.resolve("dev/vfio/devices").resolve(name), "a plain file");
    try (TestCgroup elsewhere = TestCgroup.make()) {
      // One that only calls a file so, and one whose open file is another: the device's, or not.
      StandInNode.Child named = other(elsewhere, "$FOLDER/dev/vfio/devices/" + name);
      StandInNode.Child certain = other(elsewhere, "/dev/pts/" + name);
      KernelWorkload workload = fixture.workload(LONG);

      workload.pause(MIGRATION);

      assertThat(cgroup.frozen()).as("the cgroup of who holds the device").isTrue();
      assertThat(elsewhere.frozen()).isFalse();
      assertThat(workload.describe().state()).isEqualTo(WorkloadState.PAUSED);
      workload.release(MIGRATION);
      assertThat(owner.lives()).isFalse();
      assertThat(List.of(named.ask("on"), certain.ask("on"))).containsOnly("on");
      assertThatThrownBy(() -> workload.resume(MIGRATION))
          .hasMessageContaining("nobody holds the device 0000:65:00.1 any more");
    }
  }

  private StandInNode.Child other(TestCgroup of, String file) throws IOException {
    return fixture.node.start(
        "echo $$ > "
            + of.directory()
            + "/cgroup.procs; exec 6<>"
            + file
            + "; echo ready; while read line; do echo $line; done");
  }

  @Test
  void aWorkloadWithASecondDeviceIsRefusedBeforeAnythingIsDone() throws Exception {
    String other = fixture.node.addOtherCharacterDevice();
    fixture.node.start(
        "exec 7<>$DEVICE 8<>$GROUP 9<>/dev/pts/" + other + "; echo ready; exec sleep 300");

    assertThatThrownBy(() -> fixture.workload(LONG).describe())
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("and 1 other VFIO devices")
        .hasMessageContaining("Nothing was done to it");
  }

  // ---------------------------------------------------------------- memory.json

  @Test
  void whetherItRunsOnIsNoMatterOfItsDeclaration() throws Exception {
    owner();
    declare("[]");
    KernelWorkload workload = fixture.workload(LONG);
    workload.pause(MIGRATION);
    assertThat(workload.state()).isEqualTo(WorkloadState.PAUSED);
    declare("[{]");

    workload.resume(MIGRATION);

    assertThat(workload.state()).isEqualTo(WorkloadState.RUNNING);
    assertThatThrownBy(workload::describe).hasMessageContaining("memory.json");
  }

  @Test
  void declaredMemoryIsReadThroughADuplicate() throws Exception {
    StandInNode.Child child = owner();
    declare("[" + window(0, 4096, 5) + "]");
    Map<String, Integer> before = OpenDescriptors.count(shared);
    KernelWorkload workload = fixture.workload(LONG);

    WorkloadDescription description = workload.describe();

    assertThat(description.workload()).isEqualTo("shop-db");
    assertThat(description.windows()).hasSize(1);
    assertThat(description.windows().get(0).logged()).isTrue();
    Files.delete(shared.resolve("memory"));
    try (WindowFile file = WindowFile.open(description.windows().get(0), false)) {
      ByteBuffer bytes = ByteBuffer.allocateDirect(4096);
      file.read(0, bytes);
      assertThat(bytes.hasRemaining()).isFalse();
    }
    assertThat(workload.describe().windows())
        .as("the same files as long as the declaration is the same")
        .isEqualTo(description.windows());
    declare("[" + window(4096, 4096, 5) + "]");
    assertThat(workload.describe().windows().get(0).iova()).isEqualTo(4096);
    workload.close();
    assertThat(OpenDescriptors.count(shared)).isEqualTo(before);
    assertThat(child.lives()).isTrue();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "0|4096|77|the workload has no file descriptor 77",
        "0|12288|5|its file has 8192 bytes and the window has 12288",
        "0|4096|4|its file",
        "0|4096|0|only memory is moved",
        "0|4096|-1|fd must be a number from 0 on",
        "100|4096|5|must be multiples of the page size"
      })
  void memoryThatIsNotThereOrNotFitIsRefused(long iova, long size, int number, String why)
      throws Exception {
    owner();
    declare("[" + window(iova, size, number) + "]");
    Map<String, Integer> before = OpenDescriptors.count(shared);

    assertThatThrownBy(() -> fixture.workload(LONG).describe())
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining(why)
        .hasMessageContaining("memory.json")
        .hasMessageContaining("Nothing was done to the workload or the device");
    assertThat(OpenDescriptors.count(shared)).isEqualTo(before);
  }

  @Test
  void memoryThatTheWorkloadCouldNotReadItselfIsRefused() throws Exception {
    owner();
    Files.write(folder.resolve("written"), new byte[8192]);
    declare("[" + window(0, 4096, 4) + "]");

    assertThatThrownBy(() -> fixture.workload(LONG).describe())
        .hasMessageContaining("its file is not open for reading");
  }

  @Test
  void windowsThatOverlapAreRefused() throws Exception {
    owner();
    declare("[" + window(0, 8192, 5) + "," + window(4096, 4096, 5) + "]");

    assertThatThrownBy(() -> fixture.workload(LONG).describe()).hasMessageContaining("overlap");
  }

  @Test
  void aDeclarationThatIsNoneIsRefused() throws Exception {
    owner();
    Files.writeString(fixture.memoryFile(), "{\"protocol\":1,");
    assertThatThrownBy(() -> fixture.workload(LONG).describe()).hasMessageContaining("no JSON");

    Files.writeString(fixture.memoryFile(), "{\"protocol\":2,\"windows\":[]}");
    assertThatThrownBy(() -> fixture.workload(LONG).describe())
        .hasMessageContaining("it says protocol 2, and this agent knows 1");

    Files.write(fixture.memoryFile(), new byte[(1 << 20) + 1]);
    assertThatThrownBy(() -> fixture.workload(LONG).describe())
        .hasMessageContaining("at most 1048576 are read");
  }

  @Test
  void aDeclarationByALinkIsRefused() throws Exception {
    owner();
    Path elsewhere = Files.writeString(folder.resolve("elsewhere"), "{\"protocol\":1}");
    Files.createSymbolicLink(fixture.memoryFile(), elsewhere);

    assertThatThrownBy(() -> fixture.workload(LONG).describe()).hasMessageContaining("ELOOP");
  }

  @Test
  void aDeclarationOfAnotherUserIsRefused() throws Exception {
    Assumptions.assumeTrue(
        Integer.valueOf(0).equals(Files.getAttribute(folder, "unix:uid")),
        "skipped: only root can give a file to another user");
    owner();
    declare("[]");
    Files.setAttribute(fixture.memoryFile(), "unix:uid", 65534);

    assertThatThrownBy(() -> fixture.workload(LONG).describe())
        .hasMessageContaining("it belongs to user 65534 and the workload runs as 0");
  }

  @Test
  void aDeclarationOfAnEarlierProcessIsRefused() throws Exception {
    owner();
    Files.writeString(
        fixture.memoryFile(), "{\"protocol\":1,\"pid\":1,\"startTicks\":0,\"windows\":[]}");
    // As if somebody had set the clock back since.
    Files.setLastModifiedTime(fixture.memoryFile(), FileTime.from(Instant.now().plusSeconds(3600)));

    assertThatThrownBy(() -> fixture.workload(LONG).describe())
        .hasMessageContaining("an earlier one wrote it");
  }

  @Test
  void aDeclarationIsItsOwnWhateverItsTimesSay() throws Exception {
    owner();
    declare("[" + window(0, 4096, 5) + "]");
    // As if somebody had set the clock forth since.
    Files.setLastModifiedTime(
        fixture.memoryFile(), FileTime.from(Instant.now().minusSeconds(3600)));

    assertThat(fixture.workload(LONG).describe().windows()).hasSize(1);
  }
}
