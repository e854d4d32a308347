package dev.vfio.migration.vfio.user;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.RegionInfoBytes;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.HugeMemory;
import dev.vfio.migration.vfio.linux.InMemory;
import dev.vfio.migration.vfio.linux.LeakCheck;
import dev.vfio.migration.vfio.linux.OpenDescriptors;
import dev.vfio.migration.vfio.linux.PassedDescriptors;
import dev.vfio.migration.vfio.linux.TestFiles;
import dev.vfio.migration.vfio.region.Region2018;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/**
 * Where the server passes the file of the data area, state goes through it and registers do not; an
 * offer that cannot be used costs speed only; no descriptor is left behind.
 */
@Timeout(120)
class DirectAreaTest {
  private static final ServerTimeouts TIMEOUTS =
      new ServerTimeouts(Duration.ofMinutes(5), Duration.ofMinutes(5));
  private static final int AREA = 4096;
  private static final int SIZE = 3 * 4096;

  @RegisterExtension final LeakCheck leaks = new LeakCheck(() -> this.folder);

  @TempDir(factory = InMemory.class)
  Path folder;

  @TempDir Path disk;
  private Path file;
  private Descriptor passed;
  private ScriptedServer server;

  @BeforeEach
  void start() throws IOException {
    file = folder.resolve("region");
    resize(SIZE);
    passed = PassedDescriptors.open(file, true);
    server =
        new ScriptedServer(folder.resolve("gpu-0.sock"), SIZE)
            .regionInfo(RegionInfoBytes.migration(9, SIZE).sparse(AREA, SIZE - AREA))
            .passing(passed, 1);
  }

  @AfterEach
  void stop() throws IOException {
    server.close();
    passed.close();
  }

  private void resize(long size) throws IOException {
    try (RandomAccessFile open = new RandomAccessFile(file.toFile(), "rw")) {
      open.setLength(size);
    }
  }

  private Region2018 open() throws IOException {
    return Region2018.open(
        "vfio-user:gpu-0", ScriptedServer.access(folder.resolve("gpu-0.sock"), TIMEOUTS), 4096);
  }

  private void put(long at, int value) throws IOException {
    try (RandomAccessFile open = new RandomAccessFile(file.toFile(), "rw")) {
      open.seek(at);
      open.write(value);
    }
  }

  private int get(long at) throws IOException {
    try (RandomAccessFile open = new RandomAccessFile(file.toFile(), "r")) {
      open.seek(at);
      return open.read();
    }
  }

  /** The server's region says where data is; 36 is data.offset, 44 data.size. */
  private void stage(long offset, long size) {
    server.memory().putLong(36, offset).putLong(44, size);
  }

  private void assertStateComesByMessages() throws IOException {
    server.memory().put(AREA + 5, (byte) 77);
    stage(AREA, 100);
    try (Region2018 device = open()) {
      server.commands();
      ByteBuffer chunk = ByteBuffer.allocateDirect(SIZE);
      assertThat(device.readState(chunk)).isEqualTo(100);
      assertThat(chunk.get(5)).isEqualTo((byte) 77);
      assertThat(server.commands()).containsExactly("read 36/8", "read 44/8", "read 4096/100");
    }
  }

  @Test
  void stateIsReadFromTheFileAndTheRegistersByMessages() throws IOException {
    put(AREA + 5, 42);
    stage(AREA, SIZE - AREA);
    try (Region2018 device = open()) {
      server.commands();
      ByteBuffer chunk = ByteBuffer.allocateDirect(SIZE);
      assertThat(device.readState(chunk)).isEqualTo(SIZE - AREA);
      assertThat(chunk.get(5)).isEqualTo((byte) 42);
      assertThat(server.commands()).containsExactly("read 36/8", "read 44/8");
    }
  }

  @Test
  void stateIsWrittenToTheFileAndCommittedByMessages() throws IOException {
    try (Region2018 device = open()) {
      server.commands();
      device.writeState(ByteBuffer.allocateDirect(1000).put(999, (byte) 99));
      assertThat(get(AREA + 999)).isEqualTo(99);
      assertThat(server.commands()).containsExactly("write 36/8", "write 44/8");
      assertThat(server.memory().getLong(36)).isEqualTo(AREA);
      assertThat(server.memory().getLong(44)).isEqualTo(1000);
    }
  }

  @Test
  void theRegionMayStartAnywhereInTheFile() throws IOException {
    resize(SIZE + 10000);
    server.regionInfo(
        RegionInfoBytes.migration(9, SIZE).sparse(AREA, SIZE - AREA).fileOffset(10000));
    put(10000 + AREA + 5, 42);
    stage(AREA, 100);
    try (Region2018 device = open()) {
      ByteBuffer chunk = ByteBuffer.allocateDirect(SIZE);
      device.readState(chunk);
      assertThat(chunk.get(5)).isEqualTo((byte) 42);
    }
  }

  @Test
  void aFileThatIsTooShortIsNotUsed() throws IOException {
    resize(SIZE - 1);
    assertStateComesByMessages();
  }

  @Test
  void anOffsetThatWrapsIsNotUsed() throws IOException {
    for (long base : new long[] {Long.MAX_VALUE, -1, Long.MIN_VALUE, 1}) {
      server.regionInfo(
          RegionInfoBytes.migration(9, SIZE).sparse(AREA, SIZE - AREA).fileOffset(base));
      assertStateComesByMessages();
    }
  }

  @Test
  void aDescriptorThatCannotBeWrittenIsNotUsed() throws IOException {
    try (Descriptor readOnly = PassedDescriptors.open(file, false)) {
      server.passing(readOnly, 1);
      assertStateComesByMessages();
    }
  }

  @Test
  void aDescriptorOfSomethingElseThanAFileIsNotUsed() throws IOException {
    try (Descriptor device = PassedDescriptors.open(Path.of("/dev/null"), true)) {
      server.passing(device, 1);
      assertStateComesByMessages();
    }
  }

  /** A file system that its owner serves may never answer, whatever limits a caller has set. */
  @Test
  void aFileThatIsNoMemoryIsNotUsed() throws Exception {
    Path slow = Files.write(disk.resolve("region"), new byte[SIZE]);
    assumeFalse(Files.getFileStore(slow).type().equals("tmpfs"), "temporary files are memory");
    try (Descriptor file = PassedDescriptors.open(slow, true)) {
      server.passing(file, 1);
      assertStateComesByMessages();
    }
  }

  @Test
  void aDescriptorThatOnlyNamesAFileIsNotUsed() throws IOException {
    try (Descriptor name = PassedDescriptors.naming(file)) {
      server.passing(name, 1);
      assertStateComesByMessages();
    }
  }

  @Test
  void aPipeIsNotUsedAndNotWaitedFor() throws IOException {
    try (TestFiles.Pipe pipe = TestFiles.pipe()) {
      server.passing(pipe.reading().descriptor(), 1);
      assertStateComesByMessages();
    }
    // One that is open both ways, as a FIFO can be.
    Path fifo = folder.resolve("fifo");
    assertThat(new ProcessBuilder("mkfifo", fifo.toString()).start().onExit().join().exitValue())
        .isZero();
    try (Descriptor both = PassedDescriptors.open(fifo, true)) {
      server.passing(both, 1);
      assertStateComesByMessages();
    }
  }

  @Test
  void anOfferWithoutDescriptorIsNotUsed() throws IOException {
    server.on(
        ScriptedServer.GET_REGION_INFO, (request, client) -> client.write(server.reply(request)));
    assertStateComesByMessages();
  }

  @Test
  void descriptorsThatWereNotAskedForAreNotKept() throws IOException {
    server.on(
        ScriptedServer.REGION_READ,
        (request, client) -> client.write(server.reply(request), passed, 5));
    server.passing(passed, 5);
    try (Region2018 device = open()) {
      device.pending(1);
      // The server's own, and the one that carries the region.
      assertThat(OpenDescriptors.count(folder)).containsEntry(file.toString(), 2);
    }
  }

  @Test
  void moreDescriptorsThanAreTakenIsAViolation() throws IOException {
    server.passing(passed, 9);
    DeviceException failure = catchThrowableOfType(DeviceException.class, this::open);
    assertThat(failure.kind()).isEqualTo(Kind.PROTOCOL_VIOLATION);
    assertThat(failure).hasMessageContaining("more than 8 file descriptors");
  }

  /** Each byte is a message of its own to the kernel, and each may carry as many as one may. */
  @Test
  void aReplyInPiecesBringsNoMoreDescriptorsThanOneMessage() throws IOException {
    server.on(
        ScriptedServer.GET_REGION_INFO,
        (request, client) -> {
          for (byte one : server.reply(request)) {
            client.write(new byte[] {one}, passed, 8);
          }
        });
    DeviceException failure = catchThrowableOfType(DeviceException.class, this::open);
    assertThat(failure.kind()).isEqualTo(Kind.PROTOCOL_VIOLATION);
    assertThat(failure).hasMessageContaining("more than 8 file descriptors");
  }

  @Test
  void memoryOfHugePagesIsNotUsedBecauseTheKernelTakesNoWrites() throws IOException {
    try (Descriptor huge = HugeMemory.create(2 << 20)) {
      server.passing(huge, 1);
      assertStateGoesByMessages();
    }
  }

  @Test
  void memoryThatIsSealedAgainstWritingIsNotUsed() throws IOException {
    try (Descriptor sealed = HugeMemory.sealed(SIZE)) {
      server.passing(sealed, 1);
      assertStateGoesByMessages();
    }
  }

  private void assertStateGoesByMessages() throws IOException {
    try (Region2018 device = open()) {
      server.commands();
      device.writeState(ByteBuffer.allocateDirect(1000).put(999, (byte) 99));
      long at = server.memory().getLong(36);
      assertThat(server.memory().get((int) at + 999)).isEqualTo((byte) 99);
      assertThat(server.commands()).contains("write " + at + "/1000");
    }
  }

  @Test
  void aFileThatIsCutShortLaterIsAnErrorThatNamesIt() throws IOException {
    stage(AREA, SIZE - AREA);
    try (Region2018 device = open()) {
      resize(AREA + 10);
      DeviceException failure =
          catchThrowableOfType(
              DeviceException.class, () -> device.readState(ByteBuffer.allocateDirect(SIZE)));
      assertThat(failure.kind()).isEqualTo(Kind.PROTOCOL_VIOLATION);
      assertThat(failure).hasMessageContainingAll("vfio-user:gpu-0", "cut short");
    }
  }

  @Test
  void aFailureWhileOpeningLeavesNothingOpen() throws IOException {
    server.memory().putInt(0, 99);
    DeviceException failure = catchThrowableOfType(DeviceException.class, this::open);
    assertThat(failure.kind()).isEqualTo(Kind.PROTOCOL_VIOLATION);
    server.memory().putInt(0, DeviceState.RUNNING.wireValue());
    try (Region2018 device = open()) {
      assertThat(device.state()).isEqualTo(DeviceState.RUNNING);
    }
  }

  @Test
  void afterClosingTheAreaIsOutOfReach() throws IOException {
    stage(AREA, 10);
    VfioUserAccess access = ScriptedServer.access(folder.resolve("gpu-0.sock"), TIMEOUTS);
    var areas =
        access.directAreas(
            access.regionInfo(9),
            java.util.List.of(new dev.vfio.migration.vfio.access.RegionPart(AREA, SIZE - AREA)));
    assertThat(areas).hasSize(1);
    access.close();
    AccessException failure =
        catchThrowableOfType(
            AccessException.class,
            () ->
                areas
                    .get(0)
                    .read(AREA, ByteBuffer.allocateDirect(8).order(ByteOrder.nativeOrder())));
    assertThat(failure).hasMessageContaining("closed");
  }
}
