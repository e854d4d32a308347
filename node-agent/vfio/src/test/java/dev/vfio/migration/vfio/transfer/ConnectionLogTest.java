package dev.vfio.migration.vfio.transfer;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class ConnectionLogTest {
  @Test
  void whatWasNotWrittenIsCounted() {
    AtomicLong now = new AtomicLong(Long.MAX_VALUE - 5);
    List<String> written = new ArrayList<>();
    ConnectionLog lines =
        new ConnectionLog("0000:65:00.1", (level, line) -> written.add(line), now::get);
    for (int i = 0; i < 1000; i++) {
      lines.write(Level.WARNING, "sent away");
    }
    assertThat(written).hasSize(ConnectionLog.LINES).containsOnly("sent away");

    written.clear();
    now.addAndGet(ConnectionLog.PERIOD.toNanos());
    lines.write(Level.WARNING, "sent away");
    assertThat(written).hasSize(2).last().isEqualTo("sent away");
    assertThat(written.get(0)).startsWith("980 more lines").contains("0000:65:00.1");

    written.clear();
    now.addAndGet(ConnectionLog.PERIOD.toNanos());
    lines.write(Level.INFO, "waits");
    assertThat(written).containsExactly("waits");
  }
}
