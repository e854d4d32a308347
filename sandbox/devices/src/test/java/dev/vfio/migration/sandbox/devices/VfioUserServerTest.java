package dev.vfio.migration.sandbox.devices;

import static dev.vfio.migration.sandbox.devices.VfioUserClient.MIGRATION_REGION;
import static dev.vfio.migration.sandbox.devices.VfioUserClient.buffer;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import dev.vfio.migration.sandbox.devices.VfioUserClient.Reply;
import dev.vfio.migration.sandbox.devices.unixsocket.DescriptorReceiver;
import dev.vfio.migration.sandbox.devices.unixsocket.DescriptorReceiver.Received;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The protocol over a real socket, against numbers written out from the specification. */
@Timeout(120)
class VfioUserServerTest {
  private static final int EBUSY = 16;
  private static final int EINVAL = 22;
  private static final int ENOTTY = 25;
  private static final int EOPNOTSUPP = 95;

  private LiveDevice device;

  @BeforeEach
  void start() throws IOException {
    device = LiveDevice.start("node-a", "running", "--state-size 1MiB --memory-size 64KiB");
  }

  @AfterEach
  void stop() throws IOException {
    device.close();
  }

  @Test
  void versionAnswersWithASubsetOfWhatWasProposed() throws IOException {
    try (VfioUserClient client = new VfioUserClient(device.socket())) {
      Reply reply =
          client.version(
              "{\"capabilities\":{\"max_msg_fds\":8,\"twin_socket\":{\"supported\":true}}}");
      assertThat(reply.errno()).isZero();
      assertThat(reply.payload().getShort(0)).isZero();
      assertThat(reply.payload().getShort(2)).isBetween((short) 0, (short) 1);
      ByteBuffer text = reply.payload().position(4);
      assertThat(StandardCharsets.UTF_8.decode(text).toString())
          .isEqualTo("{\"capabilities\":{\"max_msg_fds\":1}}\0");
    }
  }

  @Test
  void versionDataMayBeMissing() throws IOException {
    try (VfioUserClient client = new VfioUserClient(device.socket())) {
      assertThat(client.call(1, buffer(4)).errno()).isZero();
      assertThat(client.state()).isEqualTo(1);
    }
  }

  @Test
  void anotherMajorVersionOrNoVersionEndsTheConnection() throws IOException {
    try (VfioUserClient client = new VfioUserClient(device.socket())) {
      assertThat(client.call(1, buffer(4).putShort(0, (short) 1)).errno()).isEqualTo(EINVAL);
      assertThatIOException().isThrownBy(client::state);
    }
    try (VfioUserClient client = new VfioUserClient(device.socket())) {
      assertThat(client.read(MIGRATION_REGION, 0, 4).errno()).isEqualTo(EINVAL);
      assertThatIOException().isThrownBy(client::state);
    }
    try (VfioUserClient client = new VfioUserClient(device.socket())) {
      assertThat(client.version("{not json").errno()).isEqualTo(EINVAL);
    }
  }

  @Test
  void aSecondClientIsRefusedAsLongAsTheFirstIsThere() throws IOException {
    try (VfioUserClient first = VfioUserClient.connect(device.socket())) {
      assertThat(first.setState(2)).isZero();
      try (VfioUserClient second = new VfioUserClient(device.socket())) {
        assertThat(second.version("{}").errno()).isEqualTo(EBUSY);
      }
      assertThat(first.state()).isEqualTo(2);
    }
    // no pause here: the server notices by itself that the first one has left
    try (VfioUserClient third = VfioUserClient.connect(device.socket())) {
      assertThat(third.state()).as("the device keeps its state").isEqualTo(2);
      assertThat(third.setState(3)).isZero();
    }
  }

  @Test
  void theMigrationRegionIsFoundByItsType() throws IOException {
    try (VfioUserClient client = VfioUserClient.connect(device.socket())) {
      ByteBuffer info = client.call(4, buffer(16).putInt(0, 16)).payload();
      assertThat(info.getInt(0)).isEqualTo(16);
      assertThat(info.getInt(4)).as("reset and PCI").isEqualTo(3);
      int regions = info.getInt(8);
      assertThat(regions).isGreaterThan(9);
      int found = -1;
      for (int region = 0; region < regions; region++) {
        ByteBuffer description = client.regionInfo(region, 1024).payload();
        assertThat(description.getInt(8)).isEqualTo(region);
        assertThat(description.getInt(0)).isEqualTo(description.limit());
        boolean capabilities = (description.getInt(4) & 8) != 0;
        int next = capabilities ? description.getInt(12) : 0;
        if (region < 9) {
          assertThat(next).isZero();
          assertThat(description.getLong(16)).isEqualTo(region == 7 ? 256 : 0);
        }
        while (next != 0) {
          if (description.getShort(next) == 2
              && description.getInt(next + 8) == 1 << 30
              && description.getInt(next + 12) == 1) {
            found = region;
          }
          next = description.getInt(next + 4);
        }
      }
      assertThat(found).isEqualTo(MIGRATION_REGION);
      assertThat(client.regionInfo(regions, 1024).errno()).isEqualTo(EINVAL);
      assertThat(client.regionInfo(-1, 1024).errno()).isEqualTo(EINVAL);
    }
  }

  @Test
  void aShortArgumentSizeGetsTheFixedPartAndTheSizeOfTheWhole() throws IOException {
    try (VfioUserClient client = VfioUserClient.connect(device.socket())) {
      ByteBuffer part = client.regionInfo(MIGRATION_REGION, 32).payload();
      assertThat(part.limit()).isEqualTo(32);
      assertThat(part.getInt(0)).isGreaterThan(32);
      assertThat(part.getInt(12)).as("no capability in this part").isZero();
      assertThat(client.regionInfo(MIGRATION_REGION, part.getInt(0)).payload().limit())
          .isEqualTo(part.getInt(0));
      assertThat(client.regionInfo(MIGRATION_REGION, 31).errno()).isEqualTo(EINVAL);
      assertThat(client.call(4, buffer(16).putInt(0, 15)).errno()).isEqualTo(EINVAL);
      assertThat(client.call(4, buffer(3)).errno()).isEqualTo(EINVAL);
    }
  }

  @Test
  void withoutADescriptorThePromiseOfOneIsNotMade() throws IOException {
    try (VfioUserClient client = VfioUserClient.connect(device.socket())) {
      ByteBuffer description = client.regionInfo(MIGRATION_REGION, 1024).payload();
      assertThat(description.getInt(4)).as("read, write, capabilities").isEqualTo(11);
    }
  }

  @Test
  void theDataAreaCanBeMappedAndHoldsWhatIsStaged() throws IOException {
    try (DescriptorReceiver client = new DescriptorReceiver(device.socket())) {
      byte[] json = "{\"capabilities\":{\"max_msg_fds\":1}}\0".getBytes(StandardCharsets.UTF_8);
      client.exchange(message(1, buffer(4 + json.length).position(4).put(json).flip()), 512);
      ByteBuffer question = buffer(32).putInt(0, 256).putInt(8, MIGRATION_REGION);
      Received whole = client.exchange(message(5, question), 512);
      assertThat(whole.descriptor()).isNotNegative();
      ByteBuffer info = whole.bytes().slice(16, whole.bytes().limit() - 16);
      info.order(ByteOrder.nativeOrder());
      assertThat(info.getInt(4)).as("read, write, mmap, capabilities").isEqualTo(15);
      int sparse = info.getInt(12);
      assertThat(info.getShort(sparse)).isEqualTo((short) 1);
      assertThat(info.getInt(sparse + 8)).as("one area").isEqualTo(1);
      long offset = info.getLong(sparse + 16);
      long size = info.getLong(sparse + 24);
      assertThat(offset % 4096).isZero();
      assertThat(offset).isGreaterThanOrEqualTo(76);
      assertThat(offset + size).isEqualTo(info.getLong(16));
      MappedByteBuffer area =
          DescriptorReceiver.map(whole.descriptor(), info.getLong(24) + offset, size);
      area.order(ByteOrder.nativeOrder());

      for (int state : new int[] {2, 3}) {
        ByteBuffer write = buffer(20).putInt(8, MIGRATION_REGION).putInt(12, 4).putInt(16, state);
        assertThat(client.exchange(message(10, write), 512).bytes().getInt(8)).isEqualTo(1);
      }
      assertThat(register(client, 36)).isEqualTo(offset);
      long chunk = register(client, 44);
      assertThat(chunk).isGreaterThan(4096);
      ByteBuffer read = buffer(16).putLong(0, offset).putInt(8, MIGRATION_REGION).putInt(12, 4096);
      ByteBuffer trapped = client.exchange(message(9, read), 8192).bytes();
      assertThat(area.slice(0, 4096)).isEqualTo(trapped.slice(32, 4096));
      assertThat(area.getLong(0)).isNotZero();
    }
  }

  @Test
  void configSpaceSaysWhoTheDeviceIsAndIsReadOnly() throws IOException {
    try (VfioUserClient client = VfioUserClient.connect(device.socket())) {
      ByteBuffer config = client.read(7, 0, 256).payload().order(ByteOrder.LITTLE_ENDIAN);
      assertThat(config.getShort(16)).isEqualTo((short) 0x10de);
      assertThat(config.getShort(16 + 2)).isEqualTo((short) 0x20b0);
      assertThat(config.getShort(16 + 0x2c)).isEqualTo((short) 0x10de);
      assertThat(config.getShort(16 + 0x2e)).isEqualTo((short) 0x1450);
      assertThat(client.read(7, 250, 8).errno()).isEqualTo(EINVAL);
      assertThat(client.write(7, 4, buffer(2)).errno()).isEqualTo(EINVAL);
      assertThat(client.read(0, 0, 4).errno()).isEqualTo(EINVAL);
      assertThat(client.read(9, 0, 4096).errno()).isZero();
    }
  }

  @Test
  void aRefusedWriteLeavesTheConnectionInStep() throws IOException {
    try (VfioUserClient client = VfioUserClient.connect(device.socket())) {
      assertThat(client.write(MIGRATION_REGION, 5000, buffer(1 << 20)).errno()).isEqualTo(EINVAL);
      assertThat(client.write(3, 0, buffer(100_000)).errno()).isEqualTo(EINVAL);
      assertThat(client.setState(7)).isEqualTo(EINVAL);
      ByteBuffer wrongCount = buffer(24).putInt(8, MIGRATION_REGION).putInt(12, 4);
      assertThat(client.call(10, wrongCount).errno()).isEqualTo(EINVAL);
      assertThat(client.call(10, buffer(8)).errno()).isEqualTo(EINVAL);
      assertThat(client.read(MIGRATION_REGION, 4096, (1 << 20) + 1).errno()).isEqualTo(EINVAL);
      assertThat(client.read(MIGRATION_REGION, 4096, 0).errno()).isEqualTo(EINVAL);
      assertThat(client.read(MIGRATION_REGION, 4096, -1).errno()).isEqualTo(EINVAL);
      assertThat(client.state()).isEqualTo(1);
    }
    assertThat(device.events("refused")).hasSize(1);
    assertThat(device.events("rejected")).isNotEmpty();
  }

  @Test
  void aCommandWithoutReplyIsDoneSilently() throws IOException {
    try (VfioUserClient client = VfioUserClient.connect(device.socket())) {
      ByteBuffer write = buffer(20).putInt(8, MIGRATION_REGION).putInt(12, 4).putInt(16, 2);
      client.send(10, 0x10, write);
      ByteBuffer refused = buffer(20).putInt(8, MIGRATION_REGION).putInt(12, 4).putInt(16, 2);
      client.send(10, 0x10, refused);
      assertThat(client.state()).isEqualTo(2);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 6, 11, 12, 14, 15, 99})
  void whatIsNotOfferedIsSaidSo(int command) throws IOException {
    try (VfioUserClient client = VfioUserClient.connect(device.socket())) {
      assertThat(client.call(command, buffer(32)).errno()).isEqualTo(EOPNOTSUPP);
      assertThat(client.state()).isEqualTo(1);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {16, 17, 18})
  void theLaterMigrationInterfaceIsNotThere(int command) throws IOException {
    try (VfioUserClient client = VfioUserClient.connect(device.socket())) {
      assertThat(client.call(command, buffer(16)).errno()).isEqualTo(ENOTTY);
    }
  }

  @Test
  void interruptsAreCountedAndThereAreNone() throws IOException {
    try (VfioUserClient client = VfioUserClient.connect(device.socket())) {
      ByteBuffer info = client.call(7, buffer(16).putInt(0, 16).putInt(8, 2)).payload();
      assertThat(info.getInt(12)).isZero();
      assertThat(client.call(7, buffer(16).putInt(0, 16).putInt(8, 5)).errno()).isEqualTo(EINVAL);
      assertThat(client.call(8, buffer(20).putInt(0, 20)).errno()).isZero();
      assertThat(client.call(8, buffer(20).putInt(0, 20).putInt(16, 1)).errno()).isEqualTo(EINVAL);
    }
  }

  @Test
  void aMessageThatCannotBeOneEndsTheConnectionAndNotTheDevice() throws IOException {
    for (int size : new int[] {15, 0, -1, 1 << 24}) {
      try (DescriptorReceiver client = new DescriptorReceiver(device.socket())) {
        ByteBuffer header = buffer(16).putShort(2, (short) 1).putInt(4, size);
        assertThat(client.exchange(header, 64).bytes().limit()).isZero();
      }
    }
    try (VfioUserClient client = VfioUserClient.connect(device.socket())) {
      assertThat(client.state()).isEqualTo(1);
    }
  }

  @Test
  void aDeviceWithItsWorkloadCannotBeReset() throws IOException {
    try (VfioUserClient client = VfioUserClient.connect(device.socket())) {
      assertThat(client.reset().errno()).isEqualTo(EBUSY);
      assertThat(client.state()).isEqualTo(1);
    }
  }

  @Test
  void aDeviceMayHaveNoReset() throws IOException {
    try (LineClient console = device.console()) {
      console.ask("{'op':'fault','spec':'no-reset'}");
      try (VfioUserClient client = VfioUserClient.connect(device.socket())) {
        assertThat(client.call(4, buffer(16).putInt(0, 16)).payload().getInt(4))
            .as("PCI alone")
            .isEqualTo(2);
        assertThat(client.reset().errno()).isEqualTo(25);
      }
    }
  }

  @Test
  void faultsThatTheSocketShows() throws IOException {
    try (LineClient console = device.console()) {
      assertThat(console.ask("{'op':'fault','spec':'no-migration-region'}"))
          .containsEntry("ok", true);
      try (VfioUserClient client = VfioUserClient.connect(device.socket())) {
        assertThat(client.call(4, buffer(16).putInt(0, 16)).payload().getInt(8)).isEqualTo(10);
        assertThat(client.regionInfo(MIGRATION_REGION, 1024).errno()).isEqualTo(EINVAL);
        assertThat(client.read(MIGRATION_REGION, 0, 4).errno()).isEqualTo(EINVAL);
        console.ask("{'op':'clear-faults'}");
        assertThat(client.state()).isEqualTo(1);
        console.ask("{'op':'fault','spec':'short-read=RUNNING'}");
        Reply reply = client.read(MIGRATION_REGION, 4, 8);
        assertThat(reply.payload().getInt(12)).isEqualTo(4);
        assertThat(reply.payload().limit()).isEqualTo(16 + 4);
      }
      assertThat(console.ask("{'op':'fault','spec':'nonsense'}"))
          .containsEntry("ok", false)
          .containsEntry("errno", EINVAL);
    }
  }

  private static long register(DescriptorReceiver client, long offset) throws IOException {
    ByteBuffer read = buffer(16).putLong(0, offset).putInt(8, MIGRATION_REGION).putInt(12, 8);
    return client.exchange(message(9, read), 512).bytes().getLong(32);
  }

  private static ByteBuffer message(int command, ByteBuffer payload) {
    ByteBuffer message = buffer(16 + payload.remaining());
    message.putShort((short) 1).putShort((short) command).putInt(message.capacity());
    return message.putInt(0).putInt(0).put(payload).flip();
  }
}
