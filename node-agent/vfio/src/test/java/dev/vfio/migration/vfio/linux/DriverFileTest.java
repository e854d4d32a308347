package dev.vfio.migration.vfio.linux;

import static dev.vfio.migration.vfio.linux.TestFiles.bytes;
import static dev.vfio.migration.vfio.linux.TestFiles.room;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.vfio.layout.ExpectedConstants;
import dev.vfio.migration.vfio.linux.DriverFile.Ready;
import dev.vfio.migration.vfio.linux.TestFiles.Pipe;
import dev.vfio.migration.vfio.linux.TestFiles.Waiting;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/** Calls on a driver's file: signals, waits, and a close that comes at any time. */
@Timeout(120)
class DriverFileTest {
  /** {@code ioctl} of a pipe or a socket that answers with the bytes there are to read. */
  private static final int FIONREAD = 0x541B;

  /** Numbers of calls on x86-64, by which a test knows that a thread waits. */
  private static final int READ = 0;

  private static final int POLL = 7;

  private static final Duration LONG = Duration.ofMinutes(5);

  @TempDir Path folder;

  @Test
  void theConstantsAreTheSystems() throws IOException, InterruptedException {
    ExpectedConstants expected = new ExpectedConstants();
    expected.add("O_NONBLOCK", LibC.O_NONBLOCK);
    expected.add("F_SETFL", LibC.F_SETFL);
    expected.add("POLLIN", LibC.POLLIN);
    expected.add("POLLOUT", LibC.POLLOUT);
    expected.add("PROT_READ", LibC.PROT_READ);
    expected.add("PROT_WRITE", LibC.PROT_WRITE);
    expected.add("MAP_SHARED", LibC.MAP_SHARED);
    expected.add("(long) MAP_FAILED", LibC.MAP_FAILED);
    expected.add("offsetof(struct pollfd, fd)", DriverFile.POLL_FD);
    expected.add("offsetof(struct pollfd, events)", DriverFile.POLL_EVENTS);
    expected.add("sizeof(struct pollfd)", DriverFile.POLL_BYTES);
    expected.add("FIONREAD", FIONREAD);
    String includes =
        """
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <poll.h>
        #include <sys/ioctl.h>
        #include <sys/mman.h>
        """;
    expected.hold(folder, includes);
  }

  @Test
  void buffersAdvanceByWhatWasMoved() throws IOException {
    try (Pipe pipe = TestFiles.pipe()) {
      ByteBuffer sent = bytes(1, 2, 3, 4).position(1).limit(3);
      assertThat(pipe.writing().write(sent)).isEqualTo(2);
      assertThat(sent.position()).isEqualTo(3);
      ByteBuffer got = room(8).position(2);
      assertThat(pipe.reading().read(got)).isEqualTo(2);
      assertThat(got.slice(2, 2)).isEqualTo(bytes(2, 3));
      assertThat(got.position()).isEqualTo(4);
    }
  }

  @Test
  void aPlaceInTheFileIsReadAndWrittenWhereverTheBufferStands() throws IOException {
    try (DriverFile file = TestFiles.memory("places", 100)) {
      assertThat(file.writeAt(96, bytes(0, 7, 8).position(1))).isEqualTo(2);
      ByteBuffer got = room(16).position(4);
      assertThat(file.readAt(97, got)).as("up to the end").isEqualTo(3);
      assertThat(got.get(4)).isEqualTo((byte) 8);
      assertThat(file.readAt(100, got)).isZero();
    }
  }

  @Test
  void anIoctlFillsTheStructureFromItsPositionOn() throws IOException {
    try (Pipe pipe = TestFiles.pipe()) {
      pipe.writing().write(bytes(1, 2, 3));
      ByteBuffer structure = room(8).position(4);
      assertThat(pipe.reading().ioctl("FIONREAD", FIONREAD, structure)).isZero();
      assertThat(structure.getInt(0)).isZero();
      assertThat(structure.getInt(4)).isEqualTo(3);
    }
  }

  @Test
  void aRefusedIoctlIsNamedWithItsErrno() throws IOException {
    try (DriverFile file = TestFiles.memory("refused", 1);
        DriverFile other = TestFiles.memory("named", 1)) {
      ByteBuffer structure = room(8);
      assertThatThrownBy(() -> file.ioctl("NO_SUCH_CALL", 0x3b99, structure, 4, other))
          .isInstanceOf(ErrnoException.class)
          .hasMessage("NO_SUCH_CALL failed: ENOTTY (25)");
      assertThat(structure.getInt(4)).isEqualTo(TestFiles.number(other));
    }
  }

  @Test
  @EnabledIfSystemProperty(named = "os.arch", matches = "amd64", disabledReason = "call numbers")
  void aReadThatASignalBreaksOffIsMadeAgain() throws Exception {
    try (Pipe pipe = TestFiles.pipe()) {
      ByteBuffer got = room(4);
      Waiting reading = new Waiting(() -> pipe.reading().read(got));
      for (int i = 0; i < 3; i++) {
        reading.untilIn(READ).signal();
      }
      reading.untilIn(READ);
      pipe.writing().write(bytes(5));
      reading.join();
      assertThat(got.position()).isEqualTo(1);
    }
  }

  @Test
  @EnabledIfSystemProperty(named = "os.arch", matches = "amd64", disabledReason = "call numbers")
  void aWaitThatASignalBreaksOffGoesOn() throws Exception {
    try (Pipe pipe = TestFiles.pipe()) {
      boolean[] ready = new boolean[1];
      Waiting waiting = new Waiting(() -> ready[0] = pipe.reading().await(Ready.TO_READ, LONG));
      for (int i = 0; i < 3; i++) {
        waiting.untilIn(POLL).signal();
      }
      waiting.untilIn(POLL);
      pipe.writing().write(bytes(5));
      waiting.join();
      assertThat(ready[0]).isTrue();
    }
  }

  @Test
  void aWaitEndsWhenItsTimeIsUpAndNotBefore() throws IOException {
    try (Pipe pipe = TestFiles.pipe()) {
      Duration timeout = Duration.ofMillis(250);
      long start = System.nanoTime();
      assertThat(pipe.reading().await(Ready.TO_READ, timeout)).isFalse();
      assertThat(Duration.ofNanos(System.nanoTime() - start)).isGreaterThanOrEqualTo(timeout);
      assertThat(pipe.writing().await(Ready.TO_WRITE, Duration.ZERO)).isTrue();
      assertThat(pipe.reading().await(Ready.TO_READ, Duration.ZERO)).isFalse();
    }
  }

  @Test
  void withoutBlockingItSaysThatThereIsNothingNow() throws IOException {
    try (Pipe pipe = TestFiles.pipe()) {
      pipe.reading().withoutBlocking();
      assertThatThrownBy(() -> pipe.reading().read(room(1))).hasMessage("read failed: EAGAIN (11)");
    }
  }

  @Test
  @EnabledIfSystemProperty(named = "os.arch", matches = "amd64", disabledReason = "call numbers")
  void aCloseEndsAWaitAndFreesTheDescriptor() throws Exception {
    Pipe pipe = TestFiles.pipe();
    String name = TestFiles.name(pipe.reading());
    assertThat(TestFiles.open(name)).as("both ends have one name").isEqualTo(2);
    Waiting waiting = new Waiting(() -> pipe.reading().await(Ready.TO_READ, LONG)).untilIn(POLL);
    pipe.reading().close();
    assertThatThrownBy(waiting::join)
        .isInstanceOf(ErrnoException.class)
        .hasMessage("poll after it was closed here failed: EBADF (9)");
    assertThat(TestFiles.open(name)).isEqualTo(1);
    pipe.close();
    assertThat(TestFiles.open(name)).isZero();
  }

  @Test
  @EnabledIfSystemProperty(named = "os.arch", matches = "amd64", disabledReason = "call numbers")
  void aCloseDoesNotWaitForADriverAndLeavesItTheDescriptorUntilItReturns() throws Exception {
    try (Pipe pipe = TestFiles.pipe()) {
      String name = TestFiles.name(pipe.reading());
      Waiting reading = new Waiting(() -> pipe.reading().read(room(1))).untilIn(READ);
      pipe.reading().close();
      assertThat(reading.ended()).isFalse();
      assertThat(TestFiles.open(name)).as("the number is not free for others yet").isEqualTo(2);
      pipe.writing().write(bytes(1));
      reading.join();
      assertThat(TestFiles.open(name)).isEqualTo(1);
    }
  }

  @Test
  void afterTheCloseNoCallBegins() throws IOException {
    DriverFile file = TestFiles.memory("closed", 1);
    String name = TestFiles.name(file);
    file.close();
    file.close();
    assertThat(TestFiles.open(name)).isZero();
    assertThatThrownBy(() -> file.readAt(0, room(1)))
        .hasMessage("pread after it was closed here failed: EBADF (9)");
    assertThatThrownBy(() -> file.ioctl("FIONREAD", FIONREAD, 0)).hasMessageContaining("EBADF");
    try (DriverFile other = TestFiles.memory("other", 1)) {
      assertThatThrownBy(() -> other.ioctl("FIONREAD", FIONREAD, room(4), 0, file))
          .hasMessageContaining("EBADF");
    }
  }
}
