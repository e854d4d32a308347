package dev.vfio.migration.vfio.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SocketPeerTest {
  @TempDir Path folder;

  /** Another thread may close the stream at any moment: that is a failure, and not a fault. */
  @Test
  void aStreamThatWasClosedHasNoPeer() throws IOException {
    Path path = folder.resolve("workload.sock");
    try (PassingSocket listener = PassingSocket.listen(path)) {
      UnixStream stream = UnixStream.connect(path, Duration.ofSeconds(60));
      assertThat(SocketPeer.of(stream).process()).isEqualTo(ProcessHandle.current().pid());
      stream.close();
      ErrnoException failure =
          catchThrowableOfType(ErrnoException.class, () -> SocketPeer.of(stream));
      assertThat(failure.is(Errno.EBADF)).isTrue();
    }
  }
}
