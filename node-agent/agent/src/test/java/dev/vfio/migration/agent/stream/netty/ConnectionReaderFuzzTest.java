package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.netty.FrameType.Direction;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import java.nio.ByteBuffer;
import java.security.cert.X509Certificate;
import java.util.zip.CRC32C;

/** The other end of a stream may send anything: it is a greeting and frames, or it is refused. */
class ConnectionReaderFuzzTest {
  private static final int CHUNK = 4096;

  /** Takes every greeting and whatever frames follow. */
  private static final class Taker implements ConnectionReader.Owner {
    private ConnectionReader reader;
    private Throwable failure;

    @Override
    public void secured(X509Certificate peer) {}

    @Override
    public void greeting(Greeting greeting) {
      reader.beginFrames(frames());
    }

    @Override
    public ByteBuffer place(FrameHeader header) {
      assertThat(header.length()).isBetween(0, CHUNK);
      return ByteBuffer.allocate(header.length());
    }

    @Override
    public void frame(FrameHeader header, ByteBuffer payload) {
      assertThat(payload.remaining()).isEqualTo(header.length());
    }

    @Override
    public void failed(Throwable why) {
      failure = why;
    }

    @Override
    public void closed() {}
  }

  private static IncomingFrames frames() {
    return new IncomingFrames(1, 0, Direction.TO_DESTINATION, new Placement(2, CHUNK));
  }

  @FuzzTest(maxDuration = "1h")
  void anyStreamIsTakenOrRefused(byte[] bytes) {
    read(false, bytes);
  }

  @FuzzTest(maxDuration = "1h")
  void anyFramesAreTakenOrRefused(FuzzedDataProvider data) {
    ByteBuffer stream = ByteBuffer.allocate(1 << 18);
    for (int frame = 0; frame < 16 && data.remainingBytes() > 0; frame++) {
      byte[] payload = data.consumeBytes(data.consumeInt(0, CHUNK));
      CRC32C crc = new CRC32C();
      crc.update(payload);
      // The checksums are made right, so that what is inside is reached.
      int start = stream.position();
      stream
          .putInt(0x564d5346)
          .putShort(data.consumeShort())
          .putShort((short) (data.consumeBoolean() ? 0 : data.consumeShort()))
          .putInt(data.consumeBoolean() ? 0 : data.consumeInt())
          .putInt(data.consumeBoolean() ? payload.length : data.consumeInt())
          .putLong(data.consumeBoolean() ? frame : data.consumeLong())
          .putInt(data.consumeBoolean() ? 0 : data.consumeInt())
          .putInt((int) crc.getValue())
          .putLong(data.consumeBoolean() ? 0 : data.consumeLong());
      crc.reset();
      crc.update(stream.array(), start, 40);
      stream.putInt((int) crc.getValue()).put(payload);
    }
    byte[] bytes = new byte[stream.position()];
    stream.flip().get(bytes);
    read(true, bytes);
  }

  /** The checksum is made right, so that what is inside is reached. */
  @FuzzTest(maxDuration = "1h")
  void anyGreetingIsTakenOrRefused(byte[] bytes) {
    if (bytes.length < GreetingCodec.CRC_BYTES) {
      return;
    }
    int at = bytes.length - GreetingCodec.CRC_BYTES;
    CRC32C crc = new CRC32C();
    crc.update(bytes, 0, at);
    ByteBuffer greeting = ByteBuffer.wrap(bytes).putInt(at, (int) crc.getValue());
    try {
      Greeting read = GreetingCodec.decode(greeting.duplicate());
      assertThat(GreetingCodec.decode(GreetingCodec.encode(read)))
          .usingRecursiveComparison()
          .isEqualTo(read);
    } catch (StreamException refused) {
      assertThat(refused.getMessage()).isNotBlank();
    }
  }

  private static void read(boolean greeted, byte[] bytes) {
    Taker taker = new Taker();
    ConnectionReader reader = new ConnectionReader(taker);
    taker.reader = reader;
    if (greeted) {
      reader.beginFrames(frames());
    }
    EmbeddedChannel channel = new EmbeddedChannel(reader);
    channel.writeInbound(Unpooled.wrappedBuffer(bytes));
    channel.finishAndReleaseAll();
    if (taker.failure != null) {
      assertThat(taker.failure).isInstanceOf(StreamException.class);
      assertThat(taker.failure.getMessage()).isNotBlank();
    }
  }
}
