package dev.vfio.migration.sandbox.devices.unixsocket;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MessageHeaderTest {
  private static final String PROGRAM =
      """
      #define _GNU_SOURCE
      #include <stdio.h>
      #include <stddef.h>
      #include <sys/socket.h>
      #include <sys/uio.h>
      #define AT(type, field) printf("%zu ", offsetof(struct type, field))
      int main(void) {
        AT(msghdr, msg_iov); AT(msghdr, msg_iovlen); AT(msghdr, msg_control);
        AT(msghdr, msg_controllen); printf("%zu ", sizeof(struct msghdr));
        AT(iovec, iov_base); AT(iovec, iov_len); printf("%zu ", sizeof(struct iovec));
        AT(cmsghdr, cmsg_len); AT(cmsghdr, cmsg_level); AT(cmsghdr, cmsg_type);
        printf("%zu %zu %zu", sizeof(struct cmsghdr), CMSG_LEN(sizeof(int)), CMSG_SPACE(sizeof(int)));
        return 0;
      }
      """;

  @Test
  void theLayoutIsTheCompilers(@TempDir Path directory) throws IOException, InterruptedException {
    assumeTrue(
        hasCompiler(),
        "skipped: there is no C compiler named cc (on Debian: apt-get install gcc libc6-dev)");
    Path source = Files.writeString(directory.resolve("layout.c"), PROGRAM);
    Path binary = directory.resolve("layout");
    run("cc", "-o", binary.toString(), source.toString());
    assertThat(run(binary.toString()).split(" "))
        .containsExactly(
            Arrays.stream(
                    new int[] {
                      MessageHeader.MSG_IOV,
                      MessageHeader.MSG_IOVLEN,
                      MessageHeader.MSG_CONTROL,
                      MessageHeader.MSG_CONTROLLEN,
                      MessageHeader.MSGHDR_SIZE,
                      MessageHeader.IOV_BASE,
                      MessageHeader.IOV_LEN,
                      MessageHeader.IOVEC_SIZE,
                      MessageHeader.CMSG_LEN,
                      MessageHeader.CMSG_LEVEL,
                      MessageHeader.CMSG_TYPE,
                      MessageHeader.CMSG_DATA,
                      MessageHeader.CMSG_DATA + 4,
                      MessageHeader.CMSG_DATA + 8
                    })
                .mapToObj(Integer::toString)
                .toArray(String[]::new));
  }

  private static boolean hasCompiler() {
    return Arrays.stream(System.getenv("PATH").split(File.pathSeparator))
        .anyMatch(directory -> Files.isExecutable(Path.of(directory, "cc")));
  }

  private static String run(String... command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).as(output).isZero();
    return output;
  }
}
