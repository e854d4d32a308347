package dev.vfio.migration.vfio.freezer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.holder.Processes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code /proc} says of a cgroup counts from the reader's namespace, wherever that begins. */
class CgroupNamespacesTest {
  @TempDir Path folder;
  private Path hierarchy;
  private Path proc;

  @BeforeEach
  void make() throws IOException {
    hierarchy = Files.createDirectories(folder.resolve("cgroup"));
    Files.writeString(hierarchy.resolve("cgroup.controllers"), "");
    proc = Files.createDirectories(folder.resolve("proc"));
    Files.createSymbolicLink(proc.resolve("self"), Path.of("10"));
    cgroup("", "");
    cgroup("kubepods/agent/container", "10\n");
    cgroup("kubepods/pod1/app", "20\n21\n");
  }

  private void cgroup(String path, String processes) throws IOException {
    Path directory = Files.createDirectories(hierarchy.resolve(path));
    Files.writeString(directory.resolve("cgroup.procs"), processes);
  }

  private void process(long number, String cgroups) throws IOException {
    Path directory = Files.createDirectories(proc.resolve(Long.toString(number)));
    Files.writeString(directory.resolve("cgroup"), cgroups);
  }

  private Cgroups cgroups() {
    return new Cgroups(hierarchy, new Processes(proc));
  }

  private String path(long process) throws IOException {
    return cgroups().of(process).map(Cgroup::path).orElse("none");
  }

  @Test
  void anotherNamespaceIsCountedFromThisProcess() throws IOException {
    process(10, "0::/\n");
    process(20, "0::/../../pod1/app\n");
    assertThat(path(20)).isEqualTo("/kubepods/pod1/app");
    process(10, "0::/container\n");
    process(20, "0::/../pod1/app\n");
    assertThat(path(20)).isEqualTo("/kubepods/pod1/app");
    process(10, "0::/agent/container\n");
    process(20, "0::/pod1/app\n");
    assertThat(path(20)).isEqualTo("/kubepods/pod1/app");
  }

  @Test
  void theSameNamespaceAndOneThatLeadsNowhereAreFoundToo() throws IOException {
    process(10, "0::/kubepods/agent/container\n");
    process(20, "0::/kubepods/pod1/app\n");
    assertThat(path(20)).isEqualTo("/kubepods/pod1/app");
    process(20, "0::/../../../../../../elsewhere\n");
    assertThat(path(20)).isEqualTo("/kubepods/pod1/app");
    process(20, "0::/kubepods/agent/container\n");
    assertThat(path(20)).as("it does not list the process").isEqualTo("/kubepods/pod1/app");
    process(20, "0::/kubepods/pod1/app (deleted)\n");
    assertThat(path(20)).isEqualTo("/kubepods/pod1/app");
  }

  @Test
  void linesOfVersionOneAreNoMatterAndNobodyIsInWhatIsNotThere() throws IOException {
    process(10, "0::/kubepods/agent/container\n");
    process(21, "12:freezer:/kubepods/agent\n1:name=systemd:/0::/x\n0::/kubepods/pod1/app\n");
    assertThat(path(21)).isEqualTo("/kubepods/pod1/app");
    process(22, "12:freezer:/kubepods/agent\n");
    assertThat(path(22)).isEqualTo("none");
    assertThat(path(23)).as("ended").isEqualTo("none");
  }
}
