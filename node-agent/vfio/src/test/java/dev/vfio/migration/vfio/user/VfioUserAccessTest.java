package dev.vfio.migration.vfio.user;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.RegionInfo;
import dev.vfio.migration.vfio.access.RegionInfoBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What the client sends and what it takes, message by message, from a server that behaves. */
@Timeout(120)
class VfioUserAccessTest {
  private static final ServerTimeouts TIMEOUTS =
      new ServerTimeouts(Duration.ofMinutes(5), Duration.ofMinutes(5));
  private static final int SIZE = 8192;

  @TempDir Path folder;
  private ScriptedServer server;

  @BeforeEach
  void start() throws IOException {
    server = new ScriptedServer(folder.resolve("gpu-0.sock"), SIZE);
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private VfioUserAccess connect() throws IOException {
    return ScriptedServer.access(folder.resolve("gpu-0.sock"), TIMEOUTS);
  }

  private static ByteBuffer register(long value) {
    return ByteBuffer.allocateDirect(8).order(ByteOrder.nativeOrder()).putLong(0, value);
  }

  @Test
  void theVersionComesFirstWithTheCapabilitiesOfThisClient() throws IOException {
    AtomicReference<JsonNode> offered = new AtomicReference<>();
    AtomicReference<Integer> version = new AtomicReference<>();
    server.on(
        ScriptedServer.VERSION,
        (request, client) -> {
          ByteBuffer payload = request.payload();
          version.set(payload.getShort(0) << 16 | payload.getShort(2));
          assertThat(payload.get(payload.limit() - 1)).as("terminated by NUL").isZero();
          String json = new String(payload.array(), 4, payload.limit() - 5, StandardCharsets.UTF_8);
          try {
            offered.set(new ObjectMapper().readTree(json));
          } catch (IOException malformed) {
            throw new AssertionError(json, malformed);
          }
          client.write(server.reply(request));
        });
    connect().close();
    assertThat(version.get()).isEqualTo(1);
    assertThat(offered.get().path("capabilities").path("max_msg_fds").asInt()).isEqualTo(1);
    assertThat(offered.get().path("capabilities").path("max_data_xfer_size").asInt())
        .isEqualTo(1 << 20);
    assertThat(server.commands()).startsWith("command 1", "command 4");
  }

  @Test
  void deviceAndRegionInformation() throws IOException {
    try (VfioUserAccess access = connect()) {
      assertThat(access.deviceInfo().regions()).isEqualTo(10);
      assertThat(access.deviceInfo().resettable()).isTrue();
      assertThat(access.deviceInfo().pci()).isFalse();
      RegionInfo info = access.regionInfo(9);
      assertThat(info.index()).isEqualTo(9);
      assertThat(info.size()).isEqualTo(SIZE);
      assertThat(info.firstCapability()).isEqualTo(32);
    }
  }

  @Test
  void aRegionDescriptionThatNeedsMoreRoomIsAskedForAgain() throws IOException {
    RegionInfoBytes large = RegionInfoBytes.plain(9, SIZE);
    for (int i = 0; i < 20; i++) {
      large.capability(99);
    }
    server.regionInfo(large.type(1 << 30, 1));
    try (VfioUserAccess access = connect()) {
      server.commands();
      assertThat(access.regionInfo(9).structure().limit()).isEqualTo(large.size());
      assertThat(server.commands()).containsExactly("command 5", "command 5");
    }
  }

  @Test
  void anAbsurdlyLargeRegionDescriptionIsAViolation() throws IOException {
    server.on(
        ScriptedServer.GET_REGION_INFO,
        (request, client) -> {
          byte[] payload = new byte[32];
          ByteBuffer.wrap(payload).order(ByteOrder.nativeOrder()).putInt(0, -1);
          client.write(
              ScriptedServer.message(request.id(), ScriptedServer.GET_REGION_INFO, 1, 0, payload));
        });
    try (VfioUserAccess access = connect()) {
      AccessException failure =
          catchThrowableOfType(AccessException.class, () -> access.regionInfo(9));
      assertThat(failure.reason()).isEqualTo(Reason.VIOLATION);
      assertThat(failure).hasMessageContaining("needs 4294967295 bytes");
    }
  }

  @Test
  void bulkDataIsSplitAtWhatTheServerTakesAndARegisterNever() throws IOException {
    server.versionJson("{\"capabilities\":{\"max_data_xfer_size\":100}}");
    for (int i = 0; i < 250; i++) {
      server.memory().put(1000 + i, (byte) i);
    }
    try (VfioUserAccess access = connect()) {
      server.commands();
      ByteBuffer into = ByteBuffer.allocateDirect(300).position(10).limit(260);
      assertThat(access.readRegion(9, 1000, into)).isEqualTo(250);
      assertThat(into.position()).isEqualTo(260);
      assertThat(into.limit()).isEqualTo(260);
      for (int i = 0; i < 250; i++) {
        assertThat(into.get(10 + i)).isEqualTo((byte) i);
      }
      assertThat(access.writeRegion(9, 4000, into.flip().position(10))).isEqualTo(250);
      assertThat(server.memory().slice(4000, 250)).isEqualTo(server.memory().slice(1000, 250));
      assertThat(access.writeRegion(9, 44, register(0x1122334455667788L))).isEqualTo(8);
      assertThat(server.memory().getLong(44)).isEqualTo(0x1122334455667788L);
      assertThat(server.commands())
          .containsExactly(
              "read 1000/100",
              "read 1100/100",
              "read 1200/50",
              "write 4000/100",
              "write 4100/100",
              "write 4200/50",
              "write 44/8");
    }
  }

  @Test
  void aReplyThatComesByteByByteIsPutTogether() throws IOException {
    ScriptedServer.Answer dribble =
        (request, client) -> {
          for (byte one : server.reply(request)) {
            client.write(new byte[] {one});
          }
        };
    server.on(ScriptedServer.VERSION, dribble).on(ScriptedServer.REGION_READ, dribble);
    server.memory().putLong(36, 4711);
    try (VfioUserAccess access = connect()) {
      ByteBuffer value = register(0);
      assertThat(access.readRegion(9, 36, value)).isEqualTo(8);
      assertThat(value.getLong(0)).isEqualTo(4711);
    }
  }

  @Test
  void largeDataMovesBothWays() throws IOException {
    try (ScriptedServer large = new ScriptedServer(folder.resolve("large.sock"), 5 << 20);
        VfioUserAccess access = ScriptedServer.access(folder.resolve("large.sock"), TIMEOUTS)) {
      ByteBuffer data = ByteBuffer.allocateDirect(4 << 20);
      for (int i = 0; i < data.capacity(); i++) {
        data.put(i, (byte) (i * 31 + (i >> 12)));
      }
      assertThat(access.writeRegion(9, 4096, data)).isEqualTo(4 << 20);
      assertThat(large.memory().slice(4096, 4 << 20)).isEqualTo(data.rewind());
      ByteBuffer back = ByteBuffer.allocateDirect(4 << 20);
      assertThat(access.readRegion(9, 4096, back)).isEqualTo(4 << 20);
      assertThat(back.flip()).isEqualTo(data);
    }
  }

  @Test
  void anErrorReplyIsARefusalWithItsErrnoAndTheConnectionGoesOn() throws IOException {
    server.on(
        ScriptedServer.REGION_WRITE,
        (request, client) -> client.write(ScriptedServer.error(request, 22)));
    try (VfioUserAccess access = connect()) {
      AccessException failure =
          catchThrowableOfType(AccessException.class, () -> access.writeRegion(9, 28, register(1)));
      assertThat(failure.reason()).isEqualTo(Reason.REFUSED);
      assertThat(failure.errno()).isEqualTo(22);
      assertThat(failure).hasMessageContaining("EINVAL (22)");
      assertThat(access.readRegion(9, 36, register(0))).isEqualTo(8);
    }
  }

  @Test
  void aShortReplyIsAShortAccess() throws IOException {
    server.on(
        ScriptedServer.REGION_READ,
        (request, client) -> {
          byte[] payload = new byte[16 + 5];
          ByteBuffer fixed = ByteBuffer.wrap(payload).order(ByteOrder.nativeOrder());
          fixed.putLong(request.offset()).putInt(request.region()).putInt(5);
          client.write(
              ScriptedServer.message(request.id(), ScriptedServer.REGION_READ, 1, 0, payload));
        });
    try (VfioUserAccess access = connect()) {
      ByteBuffer into = ByteBuffer.allocateDirect(100);
      assertThat(access.readRegion(9, 36, into)).isEqualTo(5);
      assertThat(into.position()).isEqualTo(5);
      assertThat(into.limit()).isEqualTo(100);
    }
  }

  @Test
  void resetIsOneCommandWithoutPayload() throws IOException {
    try (VfioUserAccess access = connect()) {
      server.commands();
      access.reset();
      assertThat(server.commands()).containsExactly("command 13");
    }
  }
}
