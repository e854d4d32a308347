package dev.vfio.migration.vfio.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Whatever a name beneath a directory leads to, nothing outside of it is opened, or waited for. */
@Timeout(120)
class RootDirectoryTest {
  @TempDir Path folder;

  private Path chosen;
  private Path outside;
  private RootDirectory root;

  @BeforeEach
  void prepare() throws IOException {
    chosen = Files.createDirectory(folder.resolve("chosen"));
    outside = Files.writeString(folder.resolve("secret"), "somebody else's");
    root = RootDirectory.open(chosen);
  }

  @AfterEach
  void close() {
    root.close();
  }

  private void refused(String beneath, String because) {
    assertThatThrownBy(() -> root.open(Path.of(beneath), true).close())
        .isInstanceOf(IOException.class)
        .hasMessageContaining(because);
  }

  @Test
  void aFileBeneathIsOpenedAndDescribed() throws IOException {
    Path file = Files.createDirectories(chosen.resolve("a/b")).resolve("ring");
    Files.write(file, new byte[4096]);

    try (Descriptor opened = root.open(Path.of("a/b/ring"), true)) {
      FileStatus status = FileStatus.of(opened);

      OpenFile.requireReadableAndWritable(opened);
      assertThat(OpenFile.name(opened)).isEqualTo(file.toRealPath().toString());
      assertThat(status.regularFile()).isTrue();
      assertThat(status.kind()).isEqualTo("a regular file");
      assertThat(status.size()).isEqualTo(4096);
      assertThat(status.links()).isEqualTo(1);
      assertThat(status.owner()).isEqualTo(Files.getAttribute(file, "unix:uid"));
      assertThat(status.givesRights()).isFalse();
    }
    try (Descriptor opened = root.open(Path.of("a/b/ring"), false)) {
      assertThat(OpenFile.readable(opened)).isTrue();
      assertThatThrownBy(() -> OpenFile.requireReadableAndWritable(opened))
          .hasMessageContaining("not open for reading and writing");
    }
  }

  @Test
  void noLinkIsFollowedWhereverItIs() throws IOException {
    Files.createSymbolicLink(chosen.resolve("link"), outside);
    Files.createSymbolicLink(chosen.resolve("up"), folder);
    Files.createSymbolicLink(chosen.resolve("near"), Path.of("real"));
    Files.write(chosen.resolve("real"), new byte[1]);
    Files.createSymbolicLink(chosen.resolve("process"), Path.of("/proc/self"));

    refused("link", "ELOOP (40): a link is in the way");
    refused("up/secret", "ELOOP (40): a link is in the way");
    refused("near", "ELOOP (40): a link is in the way");
    refused("process/environ", "ELOOP (40): a link is in the way");
    assertThatThrownBy(() -> root.handle(Path.of("link")))
        .as("not even to be named")
        .hasMessageContaining("ELOOP (40)");
    assertThatThrownBy(() -> RootDirectory.open(chosen.resolve("up")))
        .as("the directory itself")
        .hasMessageContaining("ENOTDIR (20)");
  }

  @Test
  void noPathLeadsOut() throws IOException {
    Files.createDirectory(chosen.resolve("a"));

    refused("../secret", "EXDEV (18): it leads out of " + chosen);
    refused("a/../../secret", "EXDEV (18)");
    refused(outside.toString(), "EXDEV (18)");
    refused("/proc/self/fd/0", "EXDEV (18)");
    assertThat(Files.readString(outside)).isEqualTo("somebody else's");
  }

  @Test
  void magicLinksAreNotFollowedEither() throws IOException {
    Path own = Path.of("/proc", Long.toString(ProcessHandle.current().pid()));
    try (RootDirectory process = RootDirectory.open(own)) {
      assertThatThrownBy(() -> process.open(Path.of("exe"), false))
          .hasMessageContaining("ELOOP (40): a link is in the way");
      assertThatThrownBy(() -> process.open(Path.of("root/etc/passwd"), false))
          .hasMessageContaining("ELOOP (40)");
    }
  }

  @Test
  void anotherFileSystemIsNotEntered() throws IOException {
    try (RootDirectory all = RootDirectory.open(Path.of("/"))) {
      assertThatThrownBy(() -> all.open(Path.of("proc/version"), false))
          .hasMessageContainingAll("EXDEV (18)", "another file system is mounted there");
    }
  }

  @Test
  void onlyRegularFilesAreOpenedAndNothingIsWaitedFor() throws Exception {
    Files.createDirectory(chosen.resolve("directory"));
    run("mkfifo", chosen.resolve("fifo").toString());

    refused("fifo", chosen.resolve("fifo") + " is a FIFO, not a regular file");
    refused("directory", "is a directory, not a regular file");
    refused(".", "is a directory, not a regular file");
    refused("missing", "ENOENT (2)");
    refused("", "ENOENT (2)");
    try (RootDirectory devices = RootDirectory.open(Path.of("/dev"))) {
      assertThatThrownBy(() -> devices.open(Path.of("zero"), true))
          .hasMessage("/dev/zero is a character device, not a regular file");
    }
  }

  @Test
  void whateverIsThereCanBeNamed() throws IOException {
    try (ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      listener.bind(UnixDomainSocketAddress.of(chosen.resolve("a.sock")));
    }
    try (Descriptor handle = root.handle(Path.of("a.sock"))) {
      assertThat(FileStatus.of(handle).socket()).isTrue();
      assertThat(OpenFile.onlyNames(handle)).isTrue();
    }
  }

  @Test
  void namesAreListedAndDirectoriesBeneathAreRootsThemselves() throws IOException {
    Path inner = Files.createDirectory(chosen.resolve("inner"));
    Files.write(inner.resolve("a.sock"), new byte[1]);
    Files.write(inner.resolve("b.sock"), new byte[1]);
    Files.write(inner.resolve("c"), new byte[1]);
    TreeSet<String> names = new TreeSet<>();
    try (RootDirectory beneath = root.directory(Path.of("inner"));
        DirectoryStream<Path> entries = beneath.list("*.sock")) {
      entries.forEach(entry -> names.add(entry.getFileName().toString()));
      assertThat(beneath.path()).isEqualTo(inner);
      assertThatThrownBy(() -> beneath.open(Path.of("../inner/c"), false))
          .hasMessageContaining("EXDEV (18)");
    }
    assertThat(names).containsExactly("a.sock", "b.sock");
    assertThatThrownBy(() -> root.directory(Path.of("inner/c")))
        .hasMessageContaining("ENOTDIR (20)");
  }

  @Test
  void inARaceOfRenamesNothingOutsideIsEverOpened() throws Exception {
    Path mine = Files.createDirectory(chosen.resolve("mine"));
    Files.write(mine.resolve("secret"), new byte[] {1});
    Files.createSymbolicLink(chosen.resolve("trap"), folder);
    Path target = chosen.resolve("target");
    AtomicBoolean done = new AtomicBoolean();
    Thread attacker =
        new Thread(
            () -> {
              while (!done.get()) {
                swap(mine, target);
                swap(chosen.resolve("trap"), target);
              }
            });
    attacker.start();
    int opened = 0;
    try {
      for (int tries = 0; tries < 20_000 || opened == 0; tries++) {
        try (SharedFile file =
            SharedFile.of(root.open(Path.of("target/../target/secret"), false))) {
          assertThat(file.size()).as("the size of the file that is ours").isEqualTo(1);
          opened++;
        } catch (ErrnoException refused) {
          assertThat(refused.errno())
              .isIn(
                  Errno.ELOOP.number(),
                  Errno.ENOENT.number(),
                  Errno.EXDEV.number(),
                  Errno.EAGAIN.number());
        }
      }
    } finally {
      done.set(true);
      attacker.join();
    }
    assertThat(opened).as("tries that met the file itself").isPositive();
  }

  /** Puts it there and back again. */
  private static void swap(Path thing, Path target) {
    try {
      Files.move(thing, target, StandardCopyOption.ATOMIC_MOVE);
      Files.move(target, thing, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException unexpected) {
      throw new IllegalStateException(unexpected);
    }
  }

  private static void run(String... command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).inheritIO().start();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).isZero();
  }
}
