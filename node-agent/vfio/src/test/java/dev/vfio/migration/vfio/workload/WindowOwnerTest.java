package dev.vfio.migration.vfio.workload;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The privileged agent opens no file for a workload that the workload does not own. */
class WindowOwnerTest {

  @Test
  void theFileMustBelongToTheUserTheWorkloadRunsAs(@TempDir Path folder) throws Exception {
    Path file = Files.write(folder.resolve("ring"), new byte[4096]);
    int owner = (Integer) Files.getAttribute(file, "unix:uid");
    JsonNode windows =
        new ObjectMapper()
            .readTree("[{\"name\":\"ring\",\"iova\":0,\"size\":4096,\"file\":\"" + file + "\"}]");
    int stranger = owner + 1;

    assertThat(DeclaredWindows.read(windows, 4096, 0)).as("root may hand out any").hasSize(1);
    assertThat(DeclaredWindows.read(windows, 4096, owner)).hasSize(1);
    assertThatThrownBy(() -> DeclaredWindows.read(windows, 4096, stranger))
        .isInstanceOf(DeclaredWindows.UnusableException.class)
        .hasMessageContaining(
            "it belongs to user " + owner + " and the workload runs as user " + stranger);
  }
}
