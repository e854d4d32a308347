package dev.vfio.migration.vfio.freezer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.vfio.holder.Holder;
import dev.vfio.migration.vfio.holder.Processes;
import dev.vfio.migration.vfio.holder.StandInNode;
import dev.vfio.migration.vfio.workload.WorkloadException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Where a cgroup cannot be frozen nothing is left to be thawed: the reason is reported, the ledger
 * is empty and resuming works. Files stand for a hierarchy whose kernel or mount refuses.
 */
@Timeout(120)
class UnfreezableTest {
  private static final String MIGRATION = "uid-1/1";

  /** Says 0, and nobody may write to it: the kernel refuses that to root as well. */
  private static final Path READ_ONLY_ZERO = Path.of("/sys/class/net/lo/addr_assign_type");

  @TempDir Path folder;
  private StandInNode node;
  private FreezerLedger ledger;
  private Path cgroup;
  private Freezer freezer;
  private Holder holder;

  @BeforeEach
  void make() throws IOException {
    node = new StandInNode(folder);
    ledger = new FreezerLedger(folder.resolve("ledger"));
    StandInNode.Child child = node.startHolder();
    Path root = Files.createDirectories(folder.resolve("cgroups"));
    Files.createFile(root.resolve("cgroup.controllers"));
    cgroup = Files.createDirectory(root.resolve("workload"));
    Files.writeString(cgroup.resolve("cgroup.procs"), child.pid() + "\n");
    Files.writeString(cgroup.resolve("cgroup.events"), "populated 1\nfrozen 0\n");
    Processes processes = new Processes(Path.of("/proc"));
    freezer = new Freezer(new Cgroups(root, processes), processes, ledger, Duration.ofMillis(300));
    holder = node.holders().of(node.device()).orElseThrow();
  }

  @AfterEach
  void end() throws InterruptedException {
    node.close();
  }

  private void freezeFileNobodyMayWrite() throws IOException {
    Assumptions.assumeTrue(
        Files.isReadable(READ_ONLY_ZERO) && Files.readString(READ_ONLY_ZERO).equals("0\n"),
        "skipped: this machine's sysfs has no read-only file that says 0");
    Files.createSymbolicLink(cgroup.resolve("cgroup.freeze"), READ_ONLY_ZERO);
  }

  @Test
  void aKernelWithoutFreezerIsNamedAndNothingIsLeftToThaw() throws Exception {
    assertThatThrownBy(() -> freezer.freeze(holder, MIGRATION))
        .isInstanceOfSatisfying(
            WorkloadException.class, failure -> assertThat(failure.errno()).isEqualTo(2))
        .hasMessageContainingAll(
            "cannot be frozen, and runs on",
            "there is no " + cgroup.resolve("cgroup.freeze"),
            "Linux 5.2",
            "read-write into the agent");

    assertThat(ledger.entries()).isEmpty();
    freezer.thaw(StandInNode.ID);
  }

  @Test
  void aHierarchyThatMayNotBeWrittenIsNamedAndNothingIsLeftToThaw() throws Exception {
    freezeFileNobodyMayWrite();

    assertThatThrownBy(() -> freezer.freeze(holder, MIGRATION))
        .isInstanceOfSatisfying(
            WorkloadException.class, failure -> assertThat(failure.errno()).isEqualTo(13))
        .hasMessageContainingAll(
            cgroup.resolve("cgroup.freeze") + " cannot be used, EACCES (13)",
            "Mount the machine's cgroup hierarchy (version 2) read-write");

    assertThat(ledger.entries()).isEmpty();
    freezer.thaw(StandInNode.ID);
  }

  @Test
  void anEntryOfWhatWasNeverFrozenIsDroppedWithoutWriting() throws Exception {
    freezeFileNobodyMayWrite();
    ledger.write(
        new FreezerLedger.Entry(
            StandInNode.ID, MIGRATION, "/workload", holder.process(), holder.startTime()));

    freezer.thaw(StandInNode.ID);

    assertThat(ledger.entries()).isEmpty();
  }

  @Test
  void whereUndoingFailsAsWellBothAreReportedAndTheEntryStays() throws Exception {
    // Freezing is asked for, and it is never said whether anything stands still.
    Files.writeString(cgroup.resolve("cgroup.freeze"), "0");
    Files.delete(cgroup.resolve("cgroup.events"));

    assertThatThrownBy(() -> freezer.freeze(holder, MIGRATION))
        .isInstanceOf(IOException.class)
        .satisfies(failure -> assertThat(failure.getSuppressed()).hasSize(1))
        .hasMessageContaining("cgroup.events");

    assertThat(ledger.entries()).hasSize(1);
  }
}
