package dev.vfio.migration.sandbox.devices;

import static dev.vfio.migration.sandbox.devices.VfioUserClient.MIGRATION_REGION;
import static dev.vfio.migration.sandbox.devices.VfioUserClient.buffer;
import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.sandbox.devices.unixsocket.DescriptorReceiver;
import dev.vfio.migration.sandbox.devices.unixsocket.DescriptorReceiver.Received;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class MappedRegionTest {
  private static final String OPTIONS = "--state-size 3MiB --memory-size 0 --chunk-size 300KiB";

  @Test
  void aStateMovesThroughMappedDataAreasOnly() throws Exception {
    try (LiveDevice source = LiveDevice.start("node-a", "running", OPTIONS);
        LiveDevice target = LiveDevice.start("node-b", "waiting", OPTIONS);
        MappedClient from = new MappedClient(source.socket());
        MappedClient to = new MappedClient(target.socket());
        LineClient sourceWorkload = source.workload();
        LineClient targetWorkload = target.workload()) {
      assertThat(from.offset % 4096).isZero();
      to.setState(6);
      from.setState(2);
      from.setState(3);
      move(from, to);
      sourceWorkload.ask("{'op':'pause','migration':'uid/1'}");
      from.setState(4);
      move(from, to);
      to.setState(7);
      to.setState(1);
      assertThat(targetWorkload.ask("{'op':'take','migration':'uid/1'}")).containsEntry("ok", true);
      assertThat(target.await("continuity", it -> true)).containsEntry("result", "ok");
    }
  }

  private static void move(MappedClient from, MappedClient to) throws IOException {
    for (long size = from.stage(); size > 0; size = from.stage()) {
      to.area.put(0, from.area, 0, (int) size);
      to.put(36, to.offset);
      to.put(44, size);
    }
  }

  /** Registers by messages, data through the mapping. */
  private static final class MappedClient implements AutoCloseable {
    private final DescriptorReceiver socket;
    private final long offset;
    private final MappedByteBuffer area;

    MappedClient(Path path) throws IOException {
      socket = new DescriptorReceiver(path);
      byte[] json = "{\"capabilities\":{\"max_msg_fds\":1}}\0".getBytes(StandardCharsets.UTF_8);
      call(1, buffer(4 + json.length).position(4).put(json).flip());
      Received reply = call(5, buffer(32).putInt(0, 256).putInt(8, MIGRATION_REGION));
      ByteBuffer information = reply.bytes().slice(16, reply.bytes().limit() - 16);
      information.order(ByteOrder.nativeOrder());
      int sparse = information.getInt(12);
      offset = information.getLong(sparse + 16);
      area = DescriptorReceiver.map(reply.descriptor(), offset, information.getLong(sparse + 24));
    }

    long stage() throws IOException {
      assertThat(get(36)).isEqualTo(offset);
      return get(44);
    }

    void setState(int wire) throws IOException {
      write(0, buffer(4).putInt(0, wire));
    }

    void put(long register, long value) throws IOException {
      write(register, buffer(8).putLong(0, value));
    }

    private long get(long register) throws IOException {
      ByteBuffer read = buffer(16).putLong(0, register).putInt(8, MIGRATION_REGION).putInt(12, 8);
      return call(9, read).bytes().getLong(32);
    }

    private void write(long at, ByteBuffer value) throws IOException {
      int count = value.capacity();
      ByteBuffer write = buffer(16 + count).putLong(0, at).putInt(8, MIGRATION_REGION);
      call(10, write.putInt(12, count).put(16, value, 0, count));
    }

    private Received call(int command, ByteBuffer payload) throws IOException {
      ByteBuffer message = buffer(16 + payload.remaining());
      message.putShort((short) 1).putShort((short) command).putInt(message.capacity());
      message.putInt(0).putInt(0).put(payload).flip();
      Received reply = socket.exchange(message, 512);
      assertThat(reply.bytes().getInt(8)).as("a reply without an error").isEqualTo(1);
      return reply;
    }

    @Override
    public void close() {
      socket.close();
    }
  }
}
