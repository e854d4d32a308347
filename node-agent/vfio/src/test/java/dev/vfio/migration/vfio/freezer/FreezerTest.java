package dev.vfio.migration.vfio.freezer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.holder.Holder;
import dev.vfio.migration.vfio.holder.Processes;
import dev.vfio.migration.vfio.holder.StandInNode;
import dev.vfio.migration.vfio.linux.ProcessDescriptor;
import dev.vfio.migration.vfio.workload.WorkloadException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Real processes in real cgroups stand still, run again, or have ended; the ledger knows of each.
 */
@Timeout(120)
class FreezerTest {
  private static final Duration TIMEOUT = Duration.ofSeconds(60);
  private static final String MIGRATION = "uid-1/1";

  @TempDir Path folder;
  private StandInNode node;
  private TestCgroup cgroup;
  private FreezerLedger ledger;

  @BeforeEach
  void make() throws IOException {
    cgroup = TestCgroup.make();
    node = new StandInNode(folder);
    ledger = new FreezerLedger(folder.resolve("ledger"));
  }

  @AfterEach
  void end() throws Exception {
    if (cgroup != null) {
      node.close();
      cgroup.close();
    }
  }

  private Freezer freezer() throws IOException {
    return freezer(new Processes(Path.of("/proc")), TIMEOUT);
  }

  private Freezer freezer(Processes processes, Duration timeout) throws IOException {
    return new Freezer(new Cgroups(TestCgroup.root(), processes), processes, ledger, timeout);
  }

  private Holder holder(StandInNode.Child child) throws IOException {
    cgroup.add(child.pid());
    return node.holders().of(node.device()).orElseThrow();
  }

  @Test
  void aFrozenWorkloadStandsStillUntilItIsThawed() throws Exception {
    StandInNode.Child child =
        node.start("exec 7<>$DEVICE 8<>$GROUP; echo ready; while read line; do echo $line; done");
    Holder holder = holder(child);
    Freezer freezer = freezer();
    assertThat(freezer.standsStill(holder)).isFalse();

    freezer.freeze(holder, MIGRATION);

    assertThat(cgroup.frozen()).isTrue();
    assertThat(freezer.standsStill(holder)).isTrue();
    assertThat(ledger.entries())
        .containsExactly(
            new FreezerLedger.Entry(
                StandInNode.ID, MIGRATION, cgroup.path(), child.pid(), holder.startTime()));

    freezer.freeze(holder, MIGRATION);
    assertThat(cgroup.frozen()).as("asked again").isTrue();

    freezer.thaw(StandInNode.ID);
    assertThat(cgroup.frozen()).isFalse();
    assertThat(ledger.entries()).isEmpty();
    assertThat(child.ask("on")).isEqualTo("on");

    freezer.thaw(StandInNode.ID);
    assertThat(child.ask("and on")).as("asked again").isEqualTo("and on");
  }

  @Test
  void aFrozenHolderIsAdopted() throws Exception {
    Holder holder = holder(node.startHolder());
    freezer().freeze(holder, MIGRATION);

    node.holders().adopt(holder).close();

    assertThat(cgroup.frozen()).isTrue();
  }

  @Test
  void theEntryIsThereBeforeAnythingIsFrozen() throws Exception {
    Holder holder = holder(node.startHolder());
    // A folder in place of the entry's file: it cannot be written.
    Files.createDirectories(folder.resolve("ledger/0000_3a65_3a00_2e1.json/in/the/way"));

    assertThatThrownBy(() -> freezer().freeze(holder, MIGRATION)).isInstanceOf(IOException.class);

    assertThat(cgroup.frozen()).isFalse();
  }

  @Test
  void whatAKilledAgentLeftFrozenIsThawedUnlessAMigrationClaimsIt() throws Exception {
    Holder holder = holder(node.startHolder());
    freezer().freeze(holder, MIGRATION);

    // The next agent: nothing is left of the first but the ledger on the disk.
    ledger = new FreezerLedger(folder.resolve("ledger"));
    assertThat(freezer().thawLeftOvers(entry -> entry.migration().equals(MIGRATION))).isEmpty();
    assertThat(cgroup.frozen()).isTrue();

    assertThat(freezer().thawLeftOvers(entry -> false))
        .extracting(FreezerLedger.Entry::cgroup)
        .containsExactly(cgroup.path());
    assertThat(cgroup.frozen()).isFalse();
    assertThat(ledger.entries()).isEmpty();
  }

  @Test
  void anEntryOfARemovedCgroupIsDropped() throws Exception {
    ledger.write(new FreezerLedger.Entry("gone", MIGRATION, "/vfio-test-gone", 1, 1));

    assertThat(freezer().thawLeftOvers(entry -> false)).hasSize(1);
    assertThat(ledger.entries()).isEmpty();
  }

  @Test
  void aDamagedEntryIsNamedAndNotOverlooked() throws Exception {
    Files.writeString(folder.resolve("ledger/torn.json"), "{\"cgroup\":");

    assertThatThrownBy(() -> freezer().thawLeftOvers(entry -> false))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("torn.json is damaged");
  }

  @Test
  void aFrozenWorkloadIsKilledWithoutRunningOnceMore() throws Exception {
    StandInNode.Child child =
        node.start(
            "echo $$ > "
                + cgroup.directory()
                + "/cgroup.procs; exec 7<>$DEVICE 8<>$GROUP; sleep 300 & echo ready;"
                + " while read line; do touch $FOLDER/ran-on; done");
    Holder holder = holder(child);
    assertThat(holder.together()).as("the shell and what it started").hasSize(2);
    Freezer freezer = freezer();
    freezer.freeze(holder, MIGRATION);
    child.send("on");

    freezer.kill(StandInNode.ID);

    assertThat(Files.readAllLines(cgroup.directory().resolve("cgroup.procs"))).isEmpty();
    assertThat(folder.resolve("ran-on")).doesNotExist();
    assertThat(ledger.entries()).isEmpty();
    assertThat(node.holders().of(node.device())).isEmpty();
    freezer.kill(StandInNode.ID);
  }

  @Test
  void processesOfDifferentCgroupsAreNoOneWorkload() throws Exception {
    StandInNode.Child child = node.start("exec 7<>$DEVICE 8<>$GROUP; sleep 300 & echo ready; wait");
    cgroup.add(child.pid());

    assertThatThrownBy(() -> node.holders().of(node.device()))
        .isInstanceOf(DeviceException.class)
        .hasMessageContainingAll("of different cgroups", "Nothing was done");
  }

  @Test
  void aKernelWithoutCgroupKillHasItsProcessesKilledOneByOne() throws Exception {
    StandInNode.Child child = node.start("sleep 300 & echo ready; wait");
    cgroup.add(child.pid());
    TestCgroup inner = cgroup.below("inner");
    inner.add(
        ProcessHandle.of(child.pid()).orElseThrow().children().findFirst().orElseThrow().pid());

    new Cgroup(cgroup.path(), cgroup.directory()).killOneByOne();

    cgroup.await("populated 0");
    assertThat(new Cgroup(cgroup.path(), cgroup.directory()).populated()).isFalse();
  }

  @Test
  void anotherWorkloadThatGotACgroupOfTheSameNameIsNotKilled() throws Exception {
    StandInNode.Child child = node.startHolder();
    cgroup.add(child.pid());
    ledger.write(new FreezerLedger.Entry(StandInNode.ID, MIGRATION, cgroup.path(), 2, 12345));

    freezer().kill(StandInNode.ID);

    assertThat(child.lives()).isTrue();
    assertThat(ledger.entries()).isEmpty();
  }

  @Test
  void theRootIsNeverFrozen() throws Exception {
    StandInNode.Child child = node.startHolder();
    Holder holder = node.holders().of(node.device()).orElseThrow();
    Files.write(TestCgroup.root().resolve("cgroup.procs"), Long.toString(child.pid()).getBytes());

    assertThatThrownBy(() -> freezer().freeze(holder, MIGRATION))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContainingAll("it is the root", "Nothing was done");
    assertThat(ledger.entries()).isEmpty();
  }

  @Test
  void aCgroupWithThisAgentInOrBelowItIsNeverFrozen() throws Exception {
    Holder holder = holder(node.startHolder());
    StandInNode.Child agent = node.start("echo ready; exec sleep 300");
    cgroup.below("agent").add(agent.pid());

    assertThatThrownBy(() -> freezer(seenBy(agent), TIMEOUT).freeze(holder, MIGRATION))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("this agent is in it");
    assertThat(cgroup.frozen()).isFalse();
    assertThat(ledger.entries()).isEmpty();
  }

  /** What that process would see: itself, and the processes that matter. */
  private Processes seenBy(StandInNode.Child agent) throws IOException {
    Path proc = Files.createDirectory(folder.resolve("proc"));
    Files.createSymbolicLink(proc.resolve("self"), Path.of(Long.toString(agent.pid())));
    for (ProcessHandle process : ProcessHandle.allProcesses().toList()) {
      String number = Long.toString(process.pid());
      Files.createSymbolicLink(proc.resolve(number), Path.of("/proc", number));
    }
    return new Processes(proc);
  }

  @Test
  void whoeverElseIsInTheCgroupIsFrozenAsWell() throws Exception {
    Holder holder = holder(node.startHolder());
    StandInNode.Child stranger = node.start("echo ready; exec sleep 300");
    cgroup.add(stranger.pid());

    freezer().freeze(holder, MIGRATION);
    assertThat(cgroup.frozen()).isTrue();
  }

  @Test
  void oneCgroupIsFrozenForOneDeviceAtATime() throws Exception {
    Holder holder = holder(node.startHolder());
    ledger.write(new FreezerLedger.Entry("other", "uid-2/1", cgroup.path(), 1, 1));

    assertThatThrownBy(() -> freezer().freeze(holder, MIGRATION))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining(
            "it is frozen already, for the migration uid-2/1 of the device other");
    assertThat(cgroup.frozen()).isFalse();
  }

  @Test
  void aHolderThatDiedIsNotFrozenAndNothingIsLeftFrozen() throws Exception {
    StandInNode.Child child = node.startHolder();
    Holder holder = holder(child);
    StandInNode.Child other = node.start("echo ready; exec sleep 300");
    cgroup.add(other.pid());
    child.kill();

    assertThatThrownBy(() -> freezer().freeze(holder, MIGRATION))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("is in no cgroup");
    assertThat(cgroup.frozen()).isFalse();
    assertThat(ledger.entries()).isEmpty();
  }

  @Test
  void aCgroupBelowAFrozenOneDoesNotRunAndThatIsSaid() throws Exception {
    TestCgroup inner = cgroup.below("inner");
    StandInNode.Child child = node.startHolder();
    inner.add(child.pid());
    Holder holder = node.holders().of(node.device()).orElseThrow();
    Freezer freezer = freezer(new Processes(Path.of("/proc")), Duration.ofMillis(300));
    freezer.freeze(holder, MIGRATION);
    cgroup.write("cgroup.freeze", "1");
    cgroup.await("frozen 1");

    assertThatThrownBy(() -> freezer.thaw(StandInNode.ID))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("a cgroup above it is frozen");
    assertThat(ledger.entries()).as("it is still to be thawed").hasSize(1);

    cgroup.write("cgroup.freeze", "0");
    freezer.thaw(StandInNode.ID);
    assertThat(inner.frozen()).isFalse();
  }

  @Test
  void theCgroupIsFoundWhereProcNamesItFromAnotherRoot() throws Exception {
    StandInNode.Child child = node.startHolder();
    cgroup.add(child.pid());
    Path proc = folder.resolve("proc");
    Path process = Files.createDirectories(proc.resolve(Long.toString(child.pid())));
    Files.writeString(process.resolve("cgroup"), "0::/../../elsewhere\n");

    assertThat(new Cgroups(TestCgroup.root(), new Processes(proc)).of(child.pid()))
        .contains(new Cgroup(cgroup.path(), cgroup.directory()));
  }

  @Test
  void aDamagedFileOfTheLedgerKeepsNoOtherDeviceFromBeingFrozenAndThawed() throws Exception {
    Holder holder = holder(node.startHolder());
    for (byte[] damage : List.of(new byte[0], new byte[] {'{'}, new byte[] {(byte) 0xff, 0})) {
      Path damaged = Files.write(folder.resolve("ledger/other.json"), damage);

      freezer().freeze(holder, MIGRATION);
      assertThat(cgroup.frozen()).isTrue();
      assertThat(freezer().frozen())
          .extracting(FreezerLedger.Entry::device)
          .containsExactly(StandInNode.ID);
      assertThatThrownBy(() -> freezer().thawLeftOvers(entry -> false))
          .as("reported after all others were thawed")
          .hasMessageContaining(damaged + " is damaged");

      assertThat(cgroup.frozen()).isFalse();
      assertThat(freezer().frozen()).isEmpty();
      assertThatThrownBy(() -> freezer().frozenFor("other"))
          .as("reported of that device")
          .isInstanceOf(IOException.class)
          .hasMessageContainingAll(damaged + " is damaged", "remove the file");
    }
  }

  @Test
  void aPathThatLeadsOutOfTheHierarchyIsRefused() throws Exception {
    assertThatThrownBy(() -> TestCgroup.all().at("/../../etc"))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void aKilledProcessIsSeenToEnd() throws Exception {
    StandInNode.Child child = node.start("echo ready; exec sleep 300");

    try (ProcessDescriptor process = ProcessDescriptor.open(child.pid())) {
      assertThat(process.ended()).isFalse();
      process.kill();
      assertThat(process.awaitEnd(TIMEOUT)).isTrue();
    }
  }
}
