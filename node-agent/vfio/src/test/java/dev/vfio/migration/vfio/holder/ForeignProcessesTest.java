package dev.vfio.migration.vfio.holder;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Who holds a device is found whatever other processes are, do, and become meanwhile. */
@Timeout(120)
class ForeignProcessesTest {
  @TempDir Path folder;
  private StandInNode node;

  @BeforeEach
  void make() throws IOException {
    node = new StandInNode(folder);
  }

  @AfterEach
  void end() throws InterruptedException {
    node.close();
  }

  /** Short processes with open files, as many as this machine starts. */
  @Test
  void processesThatComeAndGoMeanwhileArePassedOver() throws Exception {
    StandInNode.Child child = node.startHolder();
    List<Process> storms = new ArrayList<>();
    try {
      for (int storm = 0; storm < 2; storm++) {
        storms.add(
            new ProcessBuilder(
                    "sh", "-c", "exec 9</dev/null; while :; do true & ls / >/dev/null & wait; done")
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start());
      }
      Holders holders = node.holders();
      for (int look = 0; look < 150; look++) {
        assertThat(holders.of(node.device()).orElseThrow().process()).isEqualTo(child.pid());
        assertThat(holders.forListing().of(node.device()).orElseThrow().process())
            .isEqualTo(child.pid());
      }
    } finally {
      for (Process storm : storms) {
        storm.destroyForcibly();
        assertThat(storm.waitFor(20, TimeUnit.SECONDS)).isTrue();
      }
    }
  }

  @Test
  void aFileWhosePathIsTooLongToBeNamedIsPassedOver() throws Exception {
    StandInNode.Child child = node.startHolder();
    String deep =
        "n=$(printf '%0200d' 0); long=$n/$n/$n/$n/$n/$n/$n/$n/$n/$n/$n/$n;"
            + " mkdir -p $FOLDER/a/$long $FOLDER/b/$long; echo x > $FOLDER/a/$long/file;"
            + " exec 9<$FOLDER/a/$long/file; mv $FOLDER/a $FOLDER/b/$long/;"
            + " echo ready; read line; rm -rf $FOLDER/b; echo removed";
    StandInNode.Child other = node.start(deep);
    try {
      assertThat(node.holders().of(node.device()).orElseThrow().process()).isEqualTo(child.pid());
    } finally {
      assertThat(other.ask("go")).isEqualTo("removed");
    }
  }

  @Test
  void aZombieIsNobody() throws Exception {
    StandInNode.Child child = node.startHolder();
    StandInNode.Child parent =
        node.start(
            "exec 7<>$DEVICE; sh -c 'exit 0' & echo $! > $FOLDER/zombie; exec 7>&-;"
                + " echo ready; exec sleep 300");
    long zombie = Long.parseLong(Files.readString(folder.resolve("zombie")).strip());
    Processes processes = new Processes(Path.of("/proc"));
    while (processes.startTime(zombie).isPresent()) {
      // Ends at once; this test's limit is the bound.
      Thread.onSpinWait();
    }
    assertThat(parent.lives()).isTrue();
    assertThat(processes.program(zombie)).isEmpty();
    assertThat(node.holders().of(node.device()).orElseThrow().process()).isEqualTo(child.pid());
  }

  /** Names of commands are what their owner likes. */
  @Test
  void oddNamesOfCommandsHideNothing() throws Exception {
    Path proc = Files.createDirectories(folder.resolve("proc"));
    Processes processes = new Processes(proc);
    int number = 100;
    String rest = " S 1" + " 0".repeat(17) + " 4242 0\n";
    for (String name : List.of("a) b", ") S 9 9", "(", "", "a\\nb", "x\ny) Z 1", ") ) )")) {
      Path own = Files.createDirectories(proc.resolve(Integer.toString(++number)));
      Files.writeString(own.resolve("stat"), number + " (" + name + ")" + rest);
      assertThat(processes.startTime(number)).as(name).hasValue(4242);
      assertThat(processes.parent(number)).as(name).hasValue(1);
    }
    for (String half : List.of("", "7", "7 (a", "7 (a)", "7 (a) ", "7 (a) S 1 0")) {
      Path own = Files.createDirectories(proc.resolve(Integer.toString(++number)));
      Files.writeString(own.resolve("stat"), half);
      assertThat(processes.startTime(number)).as("ended: " + half).isEmpty();
      assertThat(processes.parent(number)).as("ended: " + half).isEmpty();
    }
  }

  /** A kernel's threads have neither files nor a program. */
  @Test
  void aThreadOfTheKernelHasNoProgram() throws Exception {
    Path proc = Files.createDirectories(folder.resolve("proc/2"));
    Files.writeString(proc.resolve("stat"), "2 (kthreadd) S 0" + " 0".repeat(17) + " 5 0\n");
    Files.createDirectories(proc.resolve("fd"));
    Path self = Files.createDirectories(folder.resolve("proc/3"));
    Files.createSymbolicLink(folder.resolve("proc/self"), self.getFileName());
    // Its folder of descriptors went while it was looked at.
    Path half = Files.createDirectories(folder.resolve("proc/4"));
    Files.writeString(half.resolve("stat"), "4 (x) S 0" + " 0".repeat(17) + " 5 0\n");
    assertThat(node.holders(folder.resolve("proc"), node.deviceFile().toString()).of(node.device()))
        .isEmpty();
    assertThat(new Processes(folder.resolve("proc")).program(2)).isEmpty();
  }

  /** So it is where a group's device is unbound, or the group goes, while it is looked at. */
  @Test
  void aGroupsMemberThatWasRemovedIsNoOther() throws Exception {
    node.member(node.group(), "0000:65:00.2", "1af4:1041 1af4:1100");
    Path removed =
        folder.resolve("sys/kernel/iommu_groups/" + node.group() + "/devices/0000:65:00.2");
    for (String attribute : List.of("vendor", "device", "subsystem_vendor", "subsystem_device")) {
      Files.delete(removed.resolve(attribute));
    }
    StandInNode.Child child = node.startHolder();
    assertThat(node.holders().of(node.device()).orElseThrow().process()).isEqualTo(child.pid());
  }
}
