package dev.vfio.migration.vfio.user;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.PassingSocket;
import dev.vfio.migration.vfio.user.ScriptedServer.Request;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

/** A vfio-user server that answers anything at all costs an error and nothing else. */
class VfioUserReplyFuzzTest {
  private static final ServerTimeouts LONG =
      new ServerTimeouts(Duration.ofMinutes(5), Duration.ofMinutes(5));

  private static Path folder;
  private static Path socket;
  private static ScriptedServer server;

  /** What is answered to the next requests, in turn; where there is none left, by the rules. */
  private static final Deque<Reply> replies = new ArrayDeque<>();

  /** A header's fields and what follows it. */
  private record Reply(int flags, int errno, int idOff, byte[] payload) {}

  @BeforeAll
  static void start() throws IOException {
    folder = Files.createTempDirectory("vfio-user-fuzz");
    socket = folder.resolve("gpu-0.sock");
    server = new ScriptedServer(socket, 4096);
    for (int command :
        new int[] {
          ScriptedServer.VERSION,
          ScriptedServer.GET_INFO,
          ScriptedServer.GET_REGION_INFO,
          ScriptedServer.REGION_READ
        }) {
      server.on(command, VfioUserReplyFuzzTest::answer);
    }
  }

  @AfterAll
  static void stop() throws IOException {
    server.close();
    Files.deleteIfExists(socket);
    Files.delete(folder);
  }

  private static void answer(Request request, PassingSocket client) throws ErrnoException {
    Reply reply;
    synchronized (replies) {
      reply = replies.poll();
    }
    client.write(
        reply == null
            ? server.reply(request)
            : ScriptedServer.message(
                request.id() + reply.idOff(),
                request.command(),
                reply.flags(),
                reply.errno(),
                reply.payload()));
  }

  @FuzzTest(maxDuration = "1h")
  void anyReplyIsUnderstoodOrRefused(FuzzedDataProvider data) throws IOException {
    server.commands();
    synchronized (replies) {
      replies.clear();
      for (int count = data.consumeInt(0, 4); count > 0; count--) {
        boolean good = data.consumeBoolean();
        replies.add(
            new Reply(
                good ? 1 : data.consumeInt(),
                good ? 0 : data.consumeInt(),
                good ? 0 : data.consumeInt(0, 1),
                data.consumeBytes(data.consumeInt(0, 600))));
      }
    }
    try (VfioUserAccess access = ScriptedServer.access(socket, LONG)) {
      assertThat(access.regionInfo(9).index()).isNotNegative();
      ByteBuffer register = ByteBuffer.allocateDirect(8).order(ByteOrder.nativeOrder());
      access.readRegion(9, 0, register);
      assertThat(register.position()).isBetween(0, 8);
    } catch (AccessException refused) {
      assertThat(refused.getMessage()).isNotBlank();
    }
  }
}
