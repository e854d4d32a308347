package dev.vfio.migration.vfio.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.vfio.transfer.machine.TransferRecord;
import dev.vfio.migration.vfio.transfer.machine.TransferRecord.Stage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Who has a device is never forgotten because the record cannot be read. */
class TransferRecordsTest {
  private static final TransferRecord RECORD = new TransferRecord("uid/1", 4711, 99, Stage.TOLD);

  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "{}",
        "{\"migration\":\"\",\"process\":4711,\"startTime\":99,\"stage\":\"TOLD\"}",
        "{\"process\":4711,\"startTime\":99,\"stage\":\"TOLD\"}",
        "{\"migration\":\"uid/1\",\"process\":4711,\"stage\":\"TOLD\"}",
        "{\"migration\":\"uid/1\",\"process\":4711,\"startTime\":\"99\",\"stage\":\"TOLD\"}",
        "{\"migration\":\"uid/1\",\"process\":4711,\"startTime\":-1,\"stage\":\"TOLD\"}",
        "{\"migration\":\"uid/1\",\"process\":4711,\"startTime\":99,\"stage\":\"told\"}",
        "{\"migration\":\"uid/1\",\"process\":4711,\"startTime\":99,\"stage\":\"TOLD\",\"stage\":\"TAKEN\"}",
      })
  void aRecordThatIsNotWholeIsDamagedAndNotAbsent(String text) throws IOException {
    TransferRecords records = new TransferRecords(folder);
    records.write("gpu-0", RECORD);
    assertThat(records.of("gpu-0")).contains(RECORD);
    Files.writeString(folder.resolve("gpu-0.json"), text);
    assertThatThrownBy(() -> records.of("gpu-0")).hasMessageContaining("is damaged");
  }
}
