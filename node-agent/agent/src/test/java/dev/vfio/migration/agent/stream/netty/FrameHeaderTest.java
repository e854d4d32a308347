package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import dev.vfio.migration.sandbox.generators.Generator;
import dev.vfio.migration.sandbox.generators.Seeds;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

/** The frame header's bytes are those of docs/state-stream.md, and none of them can be wrong. */
class FrameHeaderTest {

  /**
   * CRC32C of "123456789" is 0xE3069283; the header's own was computed bit by bit, apart from this
   * code.
   */
  @Test
  void aMemoryFrameHasTheBytesOfTheProtocol() {
    FrameHeader header =
        new FrameHeader(FrameType.MEMORY, 3, 0x0102030405060708L, 9, 7, 0x1000, 0xE3069283);
    ByteBuffer bytes = ByteBuffer.allocate(FrameHeader.BYTES);
    header.encode(bytes);
    assertThat(HexFormat.of().formatHex(bytes.array()))
        .isEqualTo(
            "564d5346"
                + "0002"
                + "0000"
                + "00000003"
                + "00000009"
                + "0102030405060708"
                + "00000007"
                + "e3069283"
                + "0000000000001000"
                + "fee84dd0");
  }

  @Test
  void whatIsEncodedIsDecoded() {
    Seeds.check(
        1000,
        values -> {
          FrameHeader header = header(values);
          ByteBuffer bytes = ByteBuffer.allocate(FrameHeader.BYTES);
          header.encode(bytes);
          assertThat(bytes.hasRemaining()).isFalse();
          assertThat(FrameHeader.decode(bytes.flip())).isEqualTo(header);
          assertThat(bytes.hasRemaining()).isFalse();
        });
  }

  @Test
  void anyFlippedBitIsNoticed() {
    Seeds.check(
        1000,
        values -> {
          int bit = values.integer(0, FrameHeader.BYTES * 8 - 1);
          ByteBuffer bytes = ByteBuffer.allocate(FrameHeader.BYTES);
          header(values).encode(bytes);
          bytes.array()[bit / 8] ^= (byte) (1 << bit % 8);
          assertThatThrownBy(() -> FrameHeader.decode(bytes.flip()))
              .isInstanceOfSatisfying(
                  StreamException.class, why -> assertThat(why.kind()).isEqualTo(Kind.CORRUPT))
              .hasMessageContaining("CRC32C");
        });
  }

  @Test
  void anUnknownTypeIsNamed() {
    Seeds.check(
        1000,
        values -> {
          int code = values.integer(9, 0xFFFF);
          ByteBuffer bytes = ping().putShort(4, (short) code);
          assertThatThrownBy(() -> FrameHeader.decode(resum(bytes)))
              .hasMessage("frame type " + code + " is not part of the state stream");
        });
  }

  @Test
  void anotherMagicIsRefused() {
    ByteBuffer bytes = ping().putInt(0, 0x47455420);
    assertThatThrownBy(() -> FrameHeader.decode(resum(bytes)))
        .hasMessage("a frame begins with 0x47455420, not with \"VMSF\"");
  }

  @Test
  void theReservedFieldIsZero() {
    ByteBuffer bytes = ping().putShort(6, (short) 1);
    assertThatThrownBy(() -> FrameHeader.decode(resum(bytes))).hasMessageContaining("reserved");
  }

  @Test
  void aPartOfAChunkTellsHowMuchFollows() throws StreamException {
    assertThat(FrameHeader.decode(resum(part().putLong(32, 5))).offset()).isEqualTo(5);
    assertThatThrownBy(() -> FrameHeader.decode(resum(part().putLong(32, -1))))
        .hasMessage("DEVICE_STATE says window 0, offset 18446744073709551615");
    assertThatThrownBy(() -> FrameHeader.decode(resum(part().putInt(24, 1))))
        .hasMessage("DEVICE_STATE says window 1, offset 0");
  }

  private static ByteBuffer part() {
    return ping().putShort(4, (short) FrameType.DEVICE_STATE.code());
  }

  @Test
  void onlyMemoryHasAPlace() {
    assertThatThrownBy(() -> FrameHeader.decode(resum(ping().putInt(24, 1))))
        .hasMessage("PING says window 1, offset 0");
    assertThatThrownBy(() -> FrameHeader.decode(resum(ping().putLong(32, 5))))
        .hasMessage("PING says window 0, offset 5");
  }

  @Test
  void aPlaceBeyondTheSignedRangeIsRefused() {
    ByteBuffer bytes = ping().putShort(4, (short) FrameType.MEMORY.code()).putLong(32, -1);
    assertThatThrownBy(() -> FrameHeader.decode(resum(bytes)))
        .hasMessage("MEMORY says window 0, offset 18446744073709551615");
  }

  private static ByteBuffer ping() {
    ByteBuffer bytes = ByteBuffer.allocate(FrameHeader.BYTES);
    new FrameHeader(FrameType.PING, 0, 0, 0, 0, 0, 0).encode(bytes);
    return bytes.flip();
  }

  static ByteBuffer resum(ByteBuffer bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes.array(), 0, 40);
    return bytes.putInt(40, (int) crc.getValue());
  }

  private static FrameHeader header(Generator values) {
    FrameType type = values.oneOf(FrameType.values());
    boolean memory = type == FrameType.MEMORY;
    return new FrameHeader(
        type,
        values.integer(0, Integer.MAX_VALUE),
        values.anyLong(),
        values.anyInt(),
        memory ? values.integer(0, Integer.MAX_VALUE) : 0,
        memory ? values.number(0, Long.MAX_VALUE) : 0,
        values.anyInt());
  }
}
