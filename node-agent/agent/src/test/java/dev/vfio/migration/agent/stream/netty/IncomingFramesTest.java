package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import dev.vfio.migration.agent.stream.netty.FrameType.Direction;
import dev.vfio.migration.sandbox.generators.Seeds;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A stream of frames is taken only exactly as it was sent. */
class IncomingFramesTest {
  private static final int CHUNK = 4096;
  private static final Placement TWO_STREAMS = new Placement(2, CHUNK);

  private OutgoingFrames outgoing;
  private IncomingFrames incoming;

  @BeforeEach
  void freshEnds() {
    outgoing = new OutgoingFrames(1, 0);
    incoming = new IncomingFrames(1, 0, Direction.TO_DESTINATION, TWO_STREAMS);
  }

  @Test
  void aWholeStreamIsTakenAndBothEndsHaveTheSameDigest() {
    Seeds.check(
        1000,
        values -> {
          freshEnds();
          List<byte[]> frames = stream(values.list(0, 40, () -> values.integer(0, CHUNK)));
          for (byte[] frame : frames.subList(0, frames.size() - 1)) {
            take(frame);
          }
          ByteBuffer mark = ByteBuffer.wrap(frames.get(frames.size() - 1));
          FrameHeader header = incoming.header(mark);
          incoming.payload(header, header.payloadCrc());
          assertThat(incoming.end(mark)).isEqualTo(digestOfHeaders(frames));
        });
  }

  @Test
  void aMissingARepeatedOrASwappedFrameIsNoticed() {
    Seeds.check(
        1000,
        values -> {
          freshEnds();
          List<byte[]> frames = stream(values.list(2, 20, () -> values.integer(0, 64)));
          int index = values.integer(0, 19) % (frames.size() - 1);
          switch (values.integer(0, 2)) {
            case 0 -> frames.remove(index);
            case 1 -> frames.add(index, frames.get(index));
            default -> Collections.swap(frames, index, index + 1);
          }
          assertThatThrownBy(() -> takeAll(frames))
              .isInstanceOfSatisfying(
                  StreamException.class, why -> assertThat(why.kind()).isEqualTo(Kind.CORRUPT))
              .hasMessageMatching("stream 0, frame \\d+: its sequence number is \\d+: .*");
        });
  }

  @Test
  void anyFlippedBitOfTheStreamIsNoticed() {
    Seeds.check(
        1000,
        values -> {
          freshEnds();
          List<byte[]> frames = stream(values.list(1, 6, () -> values.integer(0, 64)));
          int total = frames.stream().mapToInt(frame -> frame.length * 8).sum();
          int at = values.integer(0, total - 1);
          for (byte[] frame : frames) {
            if (at < frame.length * 8) {
              frame[at / 8] ^= (byte) (1 << at % 8);
              break;
            }
            at -= frame.length * 8;
          }
          assertThatThrownBy(() -> takeAll(frames))
              .isInstanceOfSatisfying(
                  StreamException.class, why -> assertThat(why.kind()).isEqualTo(Kind.CORRUPT));
        });
  }

  @Test
  void aRepeatedAndAMissingFrameHaveDifferentFailures() throws StreamException {
    byte[] first = frame(FrameType.PING, 0, 0, new byte[0]);
    byte[] second = frame(FrameType.PING, 0, 0, new byte[0]);
    assertThatThrownBy(() -> take(second))
        .hasMessage("stream 0, frame 0: its sequence number is 1: frames are missing");
    take(first);
    assertThatThrownBy(() -> take(first))
        .hasMessage("stream 0, frame 1: its sequence number is 0: a frame was sent again");
  }

  @Test
  void anOversizedFrameIsRefusedByItsHeader() {
    ByteBuffer header = header(FrameType.DEVICE_STATE, 0, 0, CHUNK + 1);
    assertThatThrownBy(() -> incoming.header(header))
        .hasMessage("stream 0, frame 0: DEVICE_STATE announces 4097 bytes; 0 to 4096 are allowed");
    assertThatThrownBy(() -> incoming.header(header(FrameType.DEVICE_STATE, 0, 0, -1)))
        .hasMessageContaining("announces 4294967295 bytes");
    assertThatThrownBy(() -> incoming.header(header(FrameType.PAUSED, 0, 0, 7)))
        .hasMessageContaining("PAUSED announces 7 bytes; 8 to 8 are allowed");
  }

  @Test
  void aFrameOfAnotherStreamIsRefused() {
    ByteBuffer bytes = ByteBuffer.allocate(FrameHeader.BYTES);
    new FrameHeader(FrameType.PING, 1, 0, 0, 0, 0, 0).encode(bytes);
    assertThatThrownBy(() -> incoming.header(bytes.flip()))
        .hasMessageContaining("it belongs to stream 1");
  }

  @Test
  void memoryThatBelongsToAnotherStreamIsRefused() throws StreamException {
    incoming.header(header(FrameType.MEMORY, 0, 0, 1));
    incoming.header(header(FrameType.MEMORY, 1, CHUNK, 1));
    assertThatThrownBy(() -> incoming.header(header(FrameType.MEMORY, 0, CHUNK, 1)))
        .hasMessageContaining("window 0, offset 4096, 1 bytes do not belong to this stream");
    assertThatThrownBy(() -> incoming.header(header(FrameType.MEMORY, 0, CHUNK - 1, 2)))
        .hasMessageContaining("do not belong to this stream");
    assertThatThrownBy(() -> incoming.header(header(FrameType.MEMORY, 0, Long.MAX_VALUE - 1, 2)))
        .hasMessageContaining("beyond 2^63");
  }

  @Test
  void deviceStateTravelsOnTheFirstStreamOnly() {
    IncomingFrames second = new IncomingFrames(1, 1, Direction.TO_DESTINATION, TWO_STREAMS);
    ByteBuffer bytes = ByteBuffer.allocate(FrameHeader.BYTES);
    new FrameHeader(FrameType.DEVICE_STATE, 1, 0, 0, 0, 0, 0).encode(bytes);
    assertThatThrownBy(() -> second.header(bytes.flip()))
        .hasMessageContaining("DEVICE_STATE travels on stream 0 only");
  }

  @Test
  void eachEndHearsOnlyWhatIsForIt() {
    assertThatThrownBy(() -> incoming.header(header(FrameType.LOADED, 0, 0, 32)))
        .hasMessageContaining("LOADED does not travel this way");
    IncomingFrames source = new IncomingFrames(1, 0, Direction.TO_SOURCE, TWO_STREAMS);
    assertThatThrownBy(() -> source.header(header(FrameType.DEVICE_STATE, 0, 0, 1)))
        .hasMessageContaining("DEVICE_STATE does not travel this way");
  }

  @Test
  void anEndMarkThatCountsOtherwiseIsRefused() throws StreamException {
    take(frame(FrameType.DEVICE_STATE, 0, 0, new byte[10]));
    EndMark right = outgoing.endMark();
    EndMark wrong = new EndMark(2, 10, right.digest());
    assertThatThrownBy(() -> incoming.end(wrong.encode()))
        .hasMessage(
            "stream 0, frame 1: the end mark says 2 frames and 10 bytes, but 1 frames and 10 bytes"
                + " came");
  }

  @Test
  void anEndMarkWithAnotherDigestIsRefused() throws StreamException {
    take(frame(FrameType.DEVICE_STATE, 0, 0, new byte[10]));
    EndMark wrong = new EndMark(1, 10, new byte[32]);
    assertThatThrownBy(() -> incoming.end(wrong.encode()))
        .hasMessageContaining("the end mark's digest is 0000");
  }

  @Test
  void nothingFollowsTheEnd() throws StreamException {
    incoming.requireOpen();
    incoming.end(outgoing.endMark().encode());
    assertThatThrownBy(incoming::requireOpen)
        .hasMessage("stream 0, frame 0: bytes came after the end mark");
  }

  private List<byte[]> stream(List<Integer> lengths) {
    List<byte[]> frames = new ArrayList<>();
    for (int number = 0; number < lengths.size(); number++) {
      byte[] payload = new byte[lengths.get(number)];
      Arrays.fill(payload, (byte) number);
      frames.add(frame(FrameType.DEVICE_STATE, 0, 0, payload));
    }
    ByteBuffer mark = outgoing.endMark().encode();
    byte[] payload = new byte[mark.remaining()];
    mark.get(payload);
    frames.add(frame(FrameType.END, 0, 0, payload));
    return frames;
  }

  private byte[] frame(FrameType type, int window, long offset, byte[] payload) {
    ByteBuffer whole = ByteBuffer.allocate(FrameHeader.BYTES + payload.length);
    outgoing.stamp(type, window, offset, payload.length, crcOf(payload), whole);
    return whole.put(payload).array();
  }

  private static ByteBuffer header(FrameType type, int window, long offset, int length) {
    ByteBuffer bytes = ByteBuffer.allocate(FrameHeader.BYTES);
    new FrameHeader(type, 0, 0, length, window, offset, 0).encode(bytes);
    return bytes.flip();
  }

  private void takeAll(List<byte[]> frames) throws StreamException {
    for (byte[] frame : frames) {
      take(frame);
    }
  }

  private void take(byte[] frame) throws StreamException {
    incoming.requireOpen();
    ByteBuffer bytes = ByteBuffer.wrap(frame);
    FrameHeader header = incoming.header(bytes);
    byte[] payload = new byte[frame.length - FrameHeader.BYTES];
    bytes.get(payload);
    incoming.payload(header, crcOf(payload));
    if (header.type() == FrameType.END) {
      incoming.end(ByteBuffer.wrap(payload));
    }
  }

  private static int crcOf(byte[] payload) {
    CRC32C crc = new CRC32C();
    crc.update(payload);
    return (int) crc.getValue();
  }

  private static byte[] digestOfHeaders(List<byte[]> frames) {
    MessageDigest digest = LoadedDigest.sha256();
    for (byte[] frame : frames.subList(0, frames.size() - 1)) {
      digest.update(frame, 0, FrameHeader.BYTES);
    }
    return digest.digest();
  }
}
