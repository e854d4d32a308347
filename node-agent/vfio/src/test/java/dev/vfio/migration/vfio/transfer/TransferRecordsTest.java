package dev.vfio.migration.vfio.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.vfio.transfer.TransferRecords.Stage;
import dev.vfio.migration.vfio.transfer.TransferRecords.TransferRecord;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Who has a device is never forgotten because the receipt cannot be read. */
class TransferRecordsTest {
  private static final TransferRecord RECEIPT =
      new TransferRecord("gpu-0", "uid/1", 4711, 99, Stage.TOLD);

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
  void aReceiptThatIsNotWholeIsDamagedAndNotAbsent(String text) throws IOException {
    TransferRecords receipts = new TransferRecords(folder);
    receipts.write(RECEIPT);
    assertThat(receipts.of("gpu-0")).contains(RECEIPT);
    Files.writeString(folder.resolve("gpu-0.json"), text);
    assertThatThrownBy(() -> receipts.of("gpu-0")).hasMessageContaining("is damaged");
  }
}
