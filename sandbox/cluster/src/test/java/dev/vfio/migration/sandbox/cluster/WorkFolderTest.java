package dev.vfio.migration.sandbox.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.sandbox.cluster.process.Supervisor;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Nothing of a sandbox lies outside its work folder longer than it runs. */
class WorkFolderTest {
  @TempDir Path work;

  @Test
  void socketsLieInTheWorkFolderWhereItsPathIsShortEnough() throws Exception {
    Path shortWork = Files.createTempDirectory(Path.of("/tmp"), "w");
    try (Supervisor supervisor = open()) {
      assertThat(WorkFolder.forSockets(shortWork, supervisor)).isEqualTo(shortWork.resolve("run"));
    } finally {
      Files.delete(shortWork.resolve("run"));
      Files.delete(shortWork);
    }
  }

  @Test
  void socketsLieInAShortFolderThatIsRemovedWhereThePathIsTooLong() throws Exception {
    Path sockets;
    try (Supervisor supervisor = open()) {
      sockets = WorkFolder.forSockets(work.resolve("x".repeat(80)), supervisor);
      assertThat(sockets.toString()).hasSizeLessThan(40);
      Files.createDirectories(sockets.resolve("node-a"));
      assertThat(sockets).isDirectory();
    }
    assertThat(sockets).doesNotExist();
  }

  @Test
  void whatAnEarlierRunLeftIsRemoved() throws Exception {
    Path folder = Files.createDirectories(work.resolve("journal/node-a"));
    Files.createFile(folder.resolve("session"));

    assertThat(WorkFolder.emptied(work.resolve("journal"))).isEmptyDirectory();
  }

  private Supervisor open() throws Exception {
    return Supervisor.open(work.resolve("processes"), Repository.find().guardScript());
  }
}
