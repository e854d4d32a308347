package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.agent.stream.StateSender;
import dev.vfio.migration.agent.stream.StateStreams.Awaited;
import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * What a destination does with frames that no decent source sends: nothing of them reaches the
 * sink, the sink gets one failure, and the source gets the reason.
 */
@Timeout(120)
class CorruptionTest {
  @TempDir Path work;

  private final RecordingSink sink = new RecordingSink().window(0, TwoNodes.CHUNK);

  private interface Misbehaviour {
    void send(RawPeer raw) throws IOException;
  }

  @Test
  void aFlippedBitInAPayloadIsRefused() throws Exception {
    assertRefused(
        raw -> {
          ByteBuffer frame = raw.deviceState(new byte[5000]);
          frame.put(FrameHeader.BYTES + 4321, (byte) 8);
          raw.write(frame);
        },
        "stream 0, frame 1: the payload's CRC32C is 0x");
  }

  @Test
  void aFlippedBitInAHeaderIsRefused() throws Exception {
    assertRefused(
        raw -> {
          ByteBuffer frame = raw.deviceState(new byte[5000]);
          frame.put(13, (byte) (frame.get(13) ^ 1));
          raw.write(frame);
        },
        "stream 0, frame 1: the header's CRC32C is 0x");
  }

  @Test
  void aFrameThatIsSentAgainIsRefused() throws Exception {
    assertRefused(
        raw -> {
          ByteBuffer frame = raw.deviceState(new byte[10]);
          raw.write(frame);
          raw.write(frame);
        },
        "stream 0, frame 2: its sequence number is 1: a frame was sent again");
  }

  @Test
  void framesInAnotherOrderAreRefused() throws Exception {
    assertRefused(
        raw -> {
          ByteBuffer second = raw.deviceState(new byte[10]);
          ByteBuffer third = raw.deviceState(new byte[10]);
          raw.write(third);
          raw.write(second);
        },
        "stream 0, frame 1: its sequence number is 2: frames are missing");
  }

  @Test
  void anOversizedFrameIsRefusedBeforeItsPayloadComes() throws Exception {
    assertRefused(
        raw -> {
          ByteBuffer header = ByteBuffer.allocate(FrameHeader.BYTES);
          new FrameHeader(FrameType.DEVICE_STATE, 0, 1, Integer.MAX_VALUE, 0, 0, 0).encode(header);
          raw.write(header.flip());
        },
        "stream 0, frame 1: DEVICE_STATE announces 2147483647 bytes; 0 to 65536 are allowed");
  }

  @Test
  void aPartThatIsNotTheNextOfItsChunkIsRefused() throws Exception {
    assertRefused(
        raw -> {
          raw.write(raw.frame(FrameType.DEVICE_STATE, 0, 500, new byte[100]));
          raw.write(raw.frame(FrameType.DEVICE_STATE, 0, 300, new byte[100]));
        },
        "stream 0, frame 2: of its chunk 500 bytes were to come; it has 100 and says that 300");
  }

  @Test
  void anEmptyPartOfAChunkIsRefused() throws Exception {
    assertRefused(
        raw -> {
          raw.write(raw.frame(FrameType.DEVICE_STATE, 0, 500, new byte[100]));
          raw.write(raw.frame(FrameType.DEVICE_STATE, 0, 500, new byte[0]));
        },
        "stream 0, frame 2: of its chunk 500 bytes were to come; it has 0");
  }

  @Test
  void anEndInTheMiddleOfAChunkIsRefused() throws Exception {
    assertRefused(
        raw -> {
          raw.write(raw.frame(FrameType.DEVICE_STATE, 0, 500, new byte[100]));
          raw.write(raw.end());
        },
        "stream 0, frame 2: 500 bytes of a chunk of device state are missing");
  }

  @Test
  void anUnknownTypeIsRefused() throws Exception {
    assertRefused(
        raw -> {
          ByteBuffer frame = raw.frame(FrameType.PING, 0, 0, new byte[0]);
          raw.write(FrameHeaderTest.resum(frame.putShort(4, (short) 77)));
        },
        "stream 0, frame 1: frame type 77 is not part of the state stream");
  }

  @Test
  void aFrameOfTheOtherDirectionIsRefused() throws Exception {
    assertRefused(
        raw -> raw.write(raw.frame(FrameType.LOADED, 0, 0, new byte[32])),
        "stream 0, frame 1: LOADED does not travel this way");
  }

  @Test
  void anEndMarkOverOtherFramesIsRefused() throws Exception {
    assertRefused(
        raw -> {
          byte[] mark = new byte[EndMark.BYTES];
          ByteBuffer.wrap(mark).putLong(2).putLong(110);
          raw.write(raw.frame(FrameType.END, 0, 0, mark));
        },
        "stream 0, frame 1: the end mark says 2 frames and 110 bytes, but 1 frames and 100 bytes");
  }

  @Test
  void anEndMarkWithAnotherDigestIsRefused() throws Exception {
    assertRefused(
        raw -> {
          byte[] mark = new byte[EndMark.BYTES];
          ByteBuffer.wrap(mark).putLong(1).putLong(100);
          raw.write(raw.frame(FrameType.END, 0, 0, mark));
        },
        "stream 0, frame 1: the end mark's digest is 00000000");
  }

  @Test
  void bytesAfterTheEndMarkAreRefused() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work);
        Awaited awaited = nodes.await(2, sink);
        RawPeer raw = RawPeer.connect(nodes.sourceTls, nodes.destination.port())) {
      raw.welcomed(RawPeer.hello(awaited, 0, 2));
      raw.write(raw.end());
      raw.write(ByteBuffer.wrap(new byte[] {0}));
      assertBroken(raw, "stream 0, frame 0: bytes came after the end mark");
    }
  }

  @Test
  void anEndInTheMiddleOfAFrameBreaksTheStream() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work);
        Awaited awaited = nodes.await(1, sink);
        RawPeer raw = RawPeer.connect(nodes.sourceTls, nodes.destination.port())) {
      raw.welcomed(RawPeer.hello(awaited, 0, 1));
      ByteBuffer frame = raw.deviceState(new byte[5000]);
      raw.write(frame.limit(3000));
      raw.close();
      StreamException why = sink.broken.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS);
      assertThat(why.kind()).isEqualTo(Kind.BROKEN);
      assertThat(why.getMessage()).contains("closed the connection before its end mark");
      assertThat(sink.deviceStateBytes()).isEmpty();
    }
    assertThat(sink.breaks).hasValue(1);
    assertThat(sink.completions).hasValue(0);
  }

  @Test
  void anEndBetweenTwoFramesIsNoEnd() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work);
        Awaited awaited = nodes.await(1, sink);
        RawPeer raw = RawPeer.connect(nodes.sourceTls, nodes.destination.port())) {
      raw.welcomed(RawPeer.hello(awaited, 0, 1));
      raw.write(raw.deviceState(new byte[5000]));
      raw.close();
      assertThat(sink.broken.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS).getMessage())
          .contains("closed the connection before its end mark");
    }
    assertThat(sink.completions).hasValue(0);
  }

  @Test
  void aBitThatTurnsAroundOnTheWireIsNoticedByTls() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work);
        Relay relay = new Relay(nodes.destination.port());
        Awaited awaited = nodes.await(1, sink);
        StateSender sender = nodes.source.connect(nodes.through(relay, awaited, 1))) {
      relay.flipNextBit();
      TwoNodes.sendState(sender, new byte[1000]);
      // The destination's TLS sends its alert and delivers nothing; the source then closes.
      sink.broken.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS);
      assertThatThrownBy(
              () -> {
                while (true) {
                  TwoNodes.sendState(sender, new byte[1000]);
                }
              })
          .isInstanceOfSatisfying(
              StreamException.class, why -> assertThat(why.kind()).isEqualTo(Kind.CORRUPT))
          .hasMessageContaining("TLS failed");
      assertThat(sink.deviceStateBytes()).isEmpty();
    }
    assertThat(sink.breaks).hasValue(1);
  }

  private void assertRefused(Misbehaviour misbehaviour, String message) throws Exception {
    try (TwoNodes nodes = new TwoNodes(work);
        Awaited awaited = nodes.await(1, sink);
        RawPeer raw = RawPeer.connect(nodes.sourceTls, nodes.destination.port())) {
      raw.welcomed(RawPeer.hello(awaited, 0, 1));
      raw.write(raw.deviceState(new byte[100]));
      misbehaviour.send(raw);
      assertBroken(raw, message);
    }
    assertThat(sink.breaks).hasValue(1);
    assertThat(sink.completions).hasValue(0);
  }

  private void assertBroken(RawPeer raw, String message) throws Exception {
    ErrorReport report = raw.readError();
    assertThat(report.kind()).isEqualTo(Kind.CORRUPT);
    assertThat(report.message())
        .contains(message)
        .contains("migration " + TwoNodes.MIGRATION + " from node node-a")
        .contains("/127.0.0.1:");
    raw.awaitEnd();
    StreamException why = sink.broken.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS);
    assertThat(why.kind()).isEqualTo(Kind.CORRUPT);
    assertThat(why.getMessage()).isEqualTo(report.message());
  }
}
