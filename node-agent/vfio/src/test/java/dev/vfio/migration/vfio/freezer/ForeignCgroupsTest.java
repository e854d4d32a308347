package dev.vfio.migration.vfio.freezer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.holder.Holder;
import dev.vfio.migration.vfio.holder.Holders;
import dev.vfio.migration.vfio.holder.Processes;
import dev.vfio.migration.vfio.holder.StandInNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A workload's cgroup is found and stands still whatever others have in the same hierarchy: real
 * cgroups of this machine, with threads only, and such that come and go meanwhile.
 */
@Timeout(60)
class ForeignCgroupsTest {
  private static final Duration TIMEOUT = Duration.ofSeconds(20);
  private static final Processes REAL = new Processes(Path.of("/proc"));

  @TempDir Path folder;
  private TestCgroup others;
  private TestCgroup cgroup;
  private StandInNode node;

  @BeforeEach
  void make() throws IOException {
    others = TestCgroup.make();
    cgroup = TestCgroup.make();
    node = new StandInNode(folder);
  }

  @AfterEach
  void end() throws Exception {
    if (node != null) {
      node.close();
      cgroup.close();
      others.close();
    }
  }

  /** As another cgroup namespace names it, so that the hierarchy has to be searched. */
  private Cgroups searching(long process) throws IOException {
    Path proc = folder.resolve("proc");
    Path own = Files.createDirectories(proc.resolve(Long.toString(process)));
    Files.writeString(own.resolve("cgroup"), "4:memory:/x\n1:name=systemd:/y\n0::/../../nowhere\n");
    Path self = Files.createDirectories(proc.resolve("1000000000"));
    Files.writeString(self.resolve("cgroup"), "0::/\n");
    if (Files.notExists(proc.resolve("self"), java.nio.file.LinkOption.NOFOLLOW_LINKS)) {
      Files.createSymbolicLink(proc.resolve("self"), Path.of("1000000000"));
    }
    return new Cgroups(TestCgroup.root(), new Processes(proc));
  }

  @Test
  void aThreadedCgroupAnywhereIsPassedOver() throws Exception {
    others.below("threads").write("cgroup.type", "threaded");
    others.below("neither");
    StandInNode.Child child = node.startHolder();
    cgroup.add(child.pid());

    assertThat(searching(child.pid()).of(child.pid()).orElseThrow().path())
        .isEqualTo(cgroup.path());
  }

  @Test
  void itsOwnThreadedCgroupMeansTheOneAboveThatListsIt() throws Exception {
    TestCgroup threaded = cgroup.below("threads");
    threaded.write("cgroup.type", "threaded");
    StandInNode.Child child = node.startHolder();
    cgroup.add(child.pid());
    threaded.write("cgroup.threads", Long.toString(child.pid()));
    assertThat(REAL.cgroup(child.pid())).endsWith("/threads");

    Cgroups cgroups = TestCgroup.all();
    assertThat(cgroups.of(child.pid()).orElseThrow().path()).isEqualTo(cgroup.path());
    assertThat(cgroups.domain(REAL.cgroup(child.pid()))).isEqualTo(cgroup.path());
    assertThat(searching(child.pid()).of(child.pid()).orElseThrow().path())
        .isEqualTo(cgroup.path());

    Freezer freezer =
        new Freezer(cgroups, REAL, new FreezerLedger(folder.resolve("ledger")), TIMEOUT);
    Holder holder = node.holders().of(node.device()).orElseThrow();
    freezer.freeze(holder, "uid/1");
    assertThat(cgroup.frozen()).isTrue();
    assertThat(freezer.standsStill(holder)).isTrue();
    freezer.thaw(StandInNode.ID);
    assertThat(cgroup.frozen()).isFalse();
    freezer.freeze(holder, "uid/1");
    new Cgroup(cgroup.path(), cgroup.directory()).killOneByOne();
    cgroup.await("populated 0");
    freezer.thaw(StandInNode.ID);
  }

  /** Processes of one workload in several threaded cgroups are one workload. */
  @Test
  void processesInThreadedCgroupsOfOneDomainAreOneHolder() throws Exception {
    TestCgroup one = cgroup.below("one");
    one.write("cgroup.type", "threaded");
    TestCgroup other = cgroup.below("other");
    other.write("cgroup.type", "threaded");
    StandInNode.Child parent =
        node.start("exec 7<>$DEVICE 8<>$GROUP; sleep 300 & echo ready; echo $!; wait");
    long child = Long.parseLong(parent.line());
    cgroup.add(parent.pid());
    cgroup.add(child);
    one.write("cgroup.threads", Long.toString(parent.pid()));
    other.write("cgroup.threads", Long.toString(child));

    Cgroups cgroups = TestCgroup.all();
    Holders holders = node.holders(cgroups::domain);
    Holder holder = holders.of(node.device()).orElseThrow();

    assertThat(holder.together()).containsExactlyInAnyOrder(parent.pid(), child);
    assertThat(holder.cgroup()).isEqualTo(cgroup.path());
  }

  @Test
  void cgroupsThatComeAndGoMeanwhileArePassedOver() throws Exception {
    StandInNode.Child child = node.startHolder();
    cgroup.add(child.pid());
    Cgroups cgroups = searching(child.pid());
    AtomicBoolean stop = new AtomicBoolean();
    AtomicLong made = new AtomicLong();
    Thread pods =
        new Thread(
            () -> {
              for (int pod = 0; !stop.get(); pod = (pod + 1) % 50) {
                Path one = others.directory().resolve("pod" + pod);
                try {
                  Files.createDirectory(one);
                  Files.createDirectory(one.resolve("container"));
                  Files.delete(one.resolve("container"));
                  Files.delete(one);
                  made.incrementAndGet();
                } catch (IOException failure) {
                  throw new java.io.UncheckedIOException(failure);
                }
              }
            });
    pods.start();
    try {
      for (int look = 0; look < 1000 || (made.get() < 1000 && pods.isAlive()); look++) {
        assertThat(cgroups.of(child.pid()).orElseThrow().path()).isEqualTo(cgroup.path());
      }
      assertThat(made.get()).isPositive();
    } finally {
      stop.set(true);
      pods.join(20_000);
    }
    assertThat(pods.isAlive()).isFalse();
  }

  @Test
  void aCgroupThatWasRemovedDoesNotStandStill() throws Exception {
    StandInNode.Child child = node.startHolder();
    TestCgroup removed = cgroup.below("gone");
    removed.add(child.pid());
    Holder holder = node.holders().of(node.device()).orElseThrow();
    Freezer freezer =
        new Freezer(TestCgroup.all(), REAL, new FreezerLedger(folder.resolve("ledger")), TIMEOUT);
    child.kill();
    removed.close();
    assertThat(freezer.standsStill(holder)).isFalse();
    assertThat(new Cgroup(removed.path(), removed.directory()).threaded()).isFalse();
  }
}
