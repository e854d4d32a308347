package dev.vfio.migration.agent.journal;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.linux.Errno;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Whoever reads why nothing can be journalled knows where, which errno, and what to do. */
class JournalWriteExceptionTest {
  private static final Path FILE = Path.of("/var/lib/vfio-migration/u.1.source.journal");

  /** As Java words what the kernel answered: once with the file's name, and once without. */
  @ParameterizedTest
  @CsvSource({
    "ENOSPC, No space left on device, Make room on the disk of /var/lib/vfio-migration.",
    "EDQUOT, Disk quota exceeded, raise its quota",
    "EROFS, Read-only file system, mount the disk of /var/lib/vfio-migration read-write again",
    "EIO, Input/output error, mend or replace the disk of /var/lib/vfio-migration"
  })
  void eachErrnoOfADiskNamesDirectoryNumberAndAction(Errno errno, String said, String action) {
    for (IOException problem :
        new IOException[] {
          new IOException(said), new FileSystemException(FILE.toString(), null, said)
        }) {
      JournalWriteException written = JournalWriteException.of(FILE, problem);
      assertThat(written.errno()).isEqualTo(errno.number());
      assertThat(written)
          .hasMessageContaining("in the directory /var/lib/vfio-migration cannot be written")
          .hasMessageContaining(errno.name() + " (" + errno.number() + ")")
          .hasMessageContaining(action)
          .hasMessageContaining("do not remove journals")
          .hasCause(problem);
    }
  }

  @Test
  void whatIsNotTheDisksFaultSaysWhoMustBeAbleToWrite() {
    assertThat(JournalWriteException.of(FILE, new AccessDeniedException(FILE.toString())))
        .hasMessageContaining("EACCES (13)")
        .hasMessageContaining("See that the agent's user may write to /var/lib/vfio-migration");
    assertThat(JournalWriteException.of(FILE, new IOException("odd")).errno()).isZero();
  }
}
