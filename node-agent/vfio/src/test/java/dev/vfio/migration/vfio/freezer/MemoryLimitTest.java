package dev.vfio.migration.vfio.freezer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.holder.Processes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** How much memory the agent may have yet, by folders that look like those of cgroups. */
class MemoryLimitTest {
  @TempDir Path folder;
  private Path pod;
  private Path container;

  @BeforeEach
  void begin() throws IOException {
    pod = folder.resolve("cgroup/pod");
    container = Files.createDirectories(pod.resolve("agent"));
    for (Path cgroup = container; !cgroup.equals(folder); cgroup = cgroup.getParent()) {
      Files.writeString(cgroup.resolve("cgroup.procs"), cgroup.equals(container) ? "7\n" : "");
      Files.writeString(cgroup.resolve("cgroup.type"), "domain\n");
    }
    Path process = Files.createDirectories(folder.resolve("proc/7"));
    Files.createSymbolicLink(folder.resolve("proc/self"), Path.of("7"));
    Files.writeString(process.resolve("cgroup"), "0::/pod/agent\n");
  }

  private static void limit(Path cgroup, String most, long anonymous) throws IOException {
    Files.writeString(cgroup.resolve("memory.max"), most + "\n");
    Files.writeString(
        cgroup.resolve("memory.stat"), "anon " + anonymous + "\nfile 99999999\nanon_thp 1\n");
  }

  private long limit() throws IOException {
    return new Cgroups(folder.resolve("cgroup"), new Processes(folder.resolve("proc")))
        .memoryLimit();
  }

  @Test
  void withoutALimitThereIsNone() throws IOException {
    assertThat(limit()).isEqualTo(Long.MAX_VALUE);
    limit(container, "max", 5);
    assertThat(limit()).isEqualTo(Long.MAX_VALUE);
  }

  /** A heap of half the limit is not there for windows: the kernel would end the agent. */
  @Test
  void whatProgramsHoldIsNotLeft() throws IOException {
    limit(container, "800", 300);
    assertThat(limit()).isEqualTo(500);
    limit(pod, "900", 500);
    assertThat(limit()).isEqualTo(400);
    limit(pod, "900", 1000);
    assertThat(limit()).isZero();
  }
}
