package dev.vfio.migration.vfio.kernel;

import static dev.vfio.migration.vfio.linux.TestFiles.bytes;
import static dev.vfio.migration.vfio.linux.TestFiles.room;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.TestFiles;
import dev.vfio.migration.vfio.linux.TestFiles.Pipe;
import dev.vfio.migration.vfio.linux.TestFiles.Waiting;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

/** The stream of a device's state, with a pipe for a driver: it waits, ends and fills up as one. */
@Timeout(120)
class KernelStateFileTest {
  private static final Duration SHORT = Duration.ofMillis(150);
  private static final Duration LONG = Duration.ofMinutes(5);
  private static final int POLL = 7;

  private final Pipe pipe = TestFiles.pipe();
  private final KernelStateFile reading = new KernelStateFile(pipe.reading());
  private final KernelStateFile writing = new KernelStateFile(pipe.writing());

  @AfterEach
  void close() {
    pipe.close();
  }

  @Test
  void oneReadGivesWhatIsThereAndZeroIsTheEnd() throws IOException {
    writing.write(bytes(1, 2, 3), LONG);
    ByteBuffer got = room(10).position(1);
    assertThat(reading.read(got, LONG)).isEqualTo(3);
    assertThat(got.slice(1, 3)).isEqualTo(bytes(1, 2, 3));
    writing.close();
    assertThat(reading.read(got, LONG)).isZero();
    assertThat(got.position()).isEqualTo(4);
  }

  @Test
  void nothingToReadInTimeIsATimeOut() {
    long start = System.nanoTime();
    AccessException failure =
        catchThrowableOfType(AccessException.class, () -> reading.read(room(1), SHORT));
    assertThat(failure.reason()).isEqualTo(Reason.REFUSED);
    assertThat(failure.errno()).isEqualTo(Errno.ETIMEDOUT.number());
    assertThat(failure).hasMessage("reading state within 150 ms failed: ETIMEDOUT (110)");
    assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(SHORT.toNanos());
  }

  @Test
  void aWriteInManyPiecesIsAllWritten() throws Exception {
    int size = 3 << 20;
    ByteBuffer sent = room(size);
    for (int i = 0; i < size; i += 513) {
      sent.put(i, (byte) (i >> 3));
    }
    ByteBuffer got = room(size);
    Waiting reader =
        new Waiting(
            () -> {
              while (got.hasRemaining()) {
                reading.read(got, LONG);
              }
            });
    writing.write(sent, LONG);
    reader.join();
    assertThat(sent.hasRemaining()).isFalse();
    assertThat(got.flip()).isEqualTo(sent.flip());
  }

  @Test
  void aWriteThatIsNotTakenInTimeSaysHowMuchWas() throws IOException {
    ByteBuffer sent = room(3 << 20);
    assertThatThrownBy(() -> writing.write(sent, SHORT))
        .isInstanceOf(AccessException.class)
        .hasMessageContainingAll("writing state within", "ETIMEDOUT (110)");
    int taken = sent.position();
    assertThat(taken).isPositive().isLessThan(sent.limit());
    ByteBuffer got = room(3 << 20);
    int there = 0;
    while (there < taken) {
      there += reading.read(got, LONG);
    }
    assertThat(there).isEqualTo(taken);
  }

  @Test
  void aReaderThatHasClosedIsItsErrno() {
    reading.close();
    AccessException failure =
        catchThrowableOfType(AccessException.class, () -> writing.write(bytes(1), LONG));
    assertThat(failure.errno()).isEqualTo(Errno.EPIPE.number());
  }

  @Test
  void aFileWithoutPrecopyInfoIsItsErrno() {
    AccessException failure = catchThrowableOfType(AccessException.class, reading::precopyInfo);
    assertThat(failure.reason()).isEqualTo(Reason.REFUSED);
    assertThat(failure.errno()).isEqualTo(Errno.ENOTTY.number());
    assertThat(failure).hasMessage("VFIO_MIG_GET_PRECOPY_INFO failed: ENOTTY (25)");
  }

  @Test
  @EnabledIfSystemProperty(named = "os.arch", matches = "amd64", disabledReason = "call numbers")
  void signalsDoNotShortenAWait() throws Exception {
    ByteBuffer got = room(1);
    Waiting waiting = new Waiting(() -> reading.read(got, LONG));
    waiting.untilIn(POLL).signal().untilIn(POLL).signal().untilIn(POLL);
    writing.write(bytes(7), LONG);
    waiting.join();
    assertThat(got.get(0)).isEqualTo((byte) 7);
  }

  @Test
  @EnabledIfSystemProperty(named = "os.arch", matches = "amd64", disabledReason = "call numbers")
  void aCloseEndsAWaitAndLeavesNothingOpen() throws Exception {
    String name = TestFiles.name(pipe.reading());
    Waiting waiting = new Waiting(() -> reading.read(room(1), LONG)).untilIn(POLL);
    reading.close();
    assertThatThrownBy(waiting::join)
        .isInstanceOf(AccessException.class)
        .hasMessageContaining("closed here");
    writing.close();
    reading.close();
    assertThat(TestFiles.open(name)).isZero();
  }

  @Test
  void aBufferWithoutRoomIsTheCallersMistake() {
    assertThatThrownBy(() -> reading.read(room(0), LONG))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
