package dev.vfio.migration.vfio.freezer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.vfio.freezer.FreezerLedger.Entry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What was frozen is never forgotten because its entry cannot be read. */
class FreezerLedgerTest {
  private static final Entry ENTRY = new Entry("gpu-0", "uid/1", "/pod/one", 4711, 99);

  @TempDir Path folder;
  private FreezerLedger ledger;
  private Path file;

  @BeforeEach
  void make() throws IOException {
    ledger = new FreezerLedger(folder);
    ledger.write(ENTRY);
    file = ledger.file(ENTRY);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " \n",
        "{}",
        "{\"device\":\"gpu-0\",\"cgroup\":\"/pod/one\",\"process\":4711,\"startTime\":99}",
        "{\"device\":\"gpu-0\",\"migration\":\"\",\"cgroup\":\"/pod\",\"process\":1,\"startTime\":9}",
        "{\"device\":\"gpu-0\",\"migration\":\"u/1\",\"cgroup\":\"\",\"process\":1,\"startTime\":9}",
        "{\"device\":\"gpu-0\",\"migration\":\"u/1\",\"cgroup\":\"/pod\",\"startTime\":9}",
        "{\"device\":\"gpu-0\",\"migration\":\"u/1\",\"cgroup\":\"/pod\",\"process\":\"1\",\"startTime\":9}",
        "{\"device\":\"gpu-0\",\"migration\":\"u/1\",\"cgroup\":\"/pod\",\"process\":1}",
        "{\"device\":\"gpu-0\",\"migration\":\"u/1\",\"cgroup\":\"/pod\",\"process\":1,\"startTime\":1e9}",
        "{\"device\":\"gpu-1\",\"migration\":\"u/1\",\"cgroup\":\"/pod\",\"process\":1,\"startTime\":9}",
        "{\"device\":\"gpu-0\",\"device\":\"gpu-1\",\"migration\":\"u/1\",\"cgroup\":\"/pod\",\"process\":1,"
            + "\"startTime\":9}",
      })
  void anEntryThatIsNotWholeIsDamagedAndNotAbsent(String text) throws IOException {
    Files.writeString(file, text);
    assertThatThrownBy(() -> ledger.of("gpu-0")).hasMessageContaining("is damaged");
    List<IOException> reported = new ArrayList<>();
    assertThat(ledger.entries(reported::add)).isEmpty();
    assertThat(reported).hasSize(1);
  }

  @Test
  void aWholeEntryIsRead() throws IOException {
    assertThat(ledger.of("gpu-0")).contains(ENTRY);
    assertThat(ledger.of("gpu-1")).isEmpty();
  }
}
