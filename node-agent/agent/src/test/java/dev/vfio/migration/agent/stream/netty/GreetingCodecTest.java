package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import dev.vfio.migration.agent.stream.netty.Greeting.Hello;
import dev.vfio.migration.agent.stream.netty.Greeting.Refusal;
import dev.vfio.migration.agent.stream.netty.Greeting.Welcome;
import dev.vfio.migration.sandbox.generators.Generator;
import dev.vfio.migration.sandbox.generators.Seeds;
import dev.vfio.migration.text.ForeignText;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

/** A greeting's bytes are those of docs/state-stream.md; a malformed one says what is wrong. */
class GreetingCodecTest {
  private static final String HELLO =
      "5646494f4d494752" // magic
          + "0001" // HELLO
          + "0000"
          + "0000003b" // body bytes
          + "0001" // lowest version
          + "0001" // highest version
          + "00000000" // stream
          + "00000002" // streams
          + "00100000" // chunk bytes
          + "00003a98" // idle milliseconds
          + "0003"
          + "752f31" // u/1
          + "0020"
          + "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
          + "79683ca3"; // CRC32C, computed apart from this code

  @Test
  void helloHasTheBytesOfTheProtocol() throws StreamException {
    Hello hello = new Hello(1, 1, 0, 2, 1 << 20, 15_000, "u/1", token());
    assertThat(hex(GreetingCodec.encode(hello))).isEqualTo(HELLO);
    assertThat(GreetingCodec.decode(bytes(HELLO))).usingRecursiveComparison().isEqualTo(hello);
  }

  @Test
  void welcomeHasTheBytesOfTheProtocol() throws StreamException {
    String welcome = "5646494f4d4947520002000000000006" + "0001" + "00003a98" + "a4d0ecc2";
    assertThat(hex(GreetingCodec.encode(new Welcome(1, 15_000)))).isEqualTo(welcome);
    assertThat(GreetingCodec.decode(bytes(welcome)))
        .usingRecursiveComparison()
        .isEqualTo(new Welcome(1, 15_000));
  }

  @Test
  void refuseHasTheBytesOfTheProtocol() throws StreamException {
    String refuse = "5646494f4d4947520003000000000004" + "0004" + "6e6f" + "9491047c";
    Refusal refusal = new Refusal(new ErrorReport(Kind.UNAUTHENTICATED, "no"));
    assertThat(hex(GreetingCodec.encode(refusal))).isEqualTo(refuse);
    assertThat(GreetingCodec.decode(bytes(refuse))).isEqualTo(refusal);
  }

  @Test
  void whatIsEncodedIsDecoded() {
    Seeds.check(
        1000,
        values -> {
          Hello hello =
              new Hello(
                  1,
                  1,
                  values.anyInt(),
                  values.anyInt(),
                  values.anyInt(),
                  values.anyInt(),
                  values.text(0, 100, () -> character(values)),
                  values.bytes(32, 32));
          ByteBuffer bytes = GreetingCodec.encode(hello);
          assertThat(GreetingCodec.lengthOf(bytes)).isEqualTo(bytes.remaining());
          assertThat(GreetingCodec.decode(bytes)).usingRecursiveComparison().isEqualTo(hello);
        });
  }

  @Test
  void aLongMessageIsCutBetweenCharacters() {
    Seeds.check(
        1000,
        values -> {
          String message = values.text(600, 3000, () -> character(values));
          Refusal refusal = new Refusal(new ErrorReport(Kind.REFUSED, message));
          Refusal read = (Refusal) GreetingCodec.decode(GreetingCodec.encode(refusal));
          assertThat(read.report().message())
              .isEqualTo(ForeignText.line(message, ErrorReport.MAX_MESSAGE_BYTES))
              .doesNotContain("\ufffd")
              .hasSizeGreaterThan(500);
        });
  }

  @Test
  void anyFlippedBitIsNoticed() {
    for (int bit = 0; bit < 79 * 8; bit++) {
      ByteBuffer bytes = bytes(HELLO);
      bytes.array()[bit / 8] ^= (byte) (1 << bit % 8);
      assertCorrupt(bytes);
    }
  }

  @Test
  void anyTruncationIsNoticed() {
    for (int length = 0; length < 79; length++) {
      assertCorrupt(bytes(HELLO).limit(length));
    }
  }

  @Test
  void theTokenIsNeverShown() throws StreamException {
    assertThat(GreetingCodec.decode(bytes(HELLO)).toString())
        .contains("u/1")
        .doesNotContain("0102")
        .doesNotContain("[B@");
  }

  @Test
  void otherVersionsAreRefusedBeforeTheRestIsRead() {
    ByteBuffer newer = resum(bytes(HELLO).putShort(16, (short) 3).putShort(18, (short) 4));
    newer.put(30, (byte) 0x7F);
    assertThatThrownBy(() -> GreetingCodec.decode(resum(newer)))
        .isInstanceOfSatisfying(
            StreamException.class, why -> assertThat(why.kind()).isEqualTo(Kind.VERSION))
        .hasMessageContaining("the source speaks stream versions 3 to 4")
        .hasMessageContaining("the destination speaks versions 1 to 2");
  }

  @Test
  void aRangeThatHoldsOurVersionIsGood() throws StreamException {
    ByteBuffer range = resum(bytes(HELLO).putShort(18, (short) 9));
    assertThat(((Hello) GreetingCodec.decode(range)).highestVersion()).isEqualTo(9);
  }

  @Test
  void anOversizedBodyIsRefusedByItsFirstBytes() {
    ByteBuffer prefix = bytes(HELLO).putInt(12, 4097);
    assertThatThrownBy(() -> GreetingCodec.lengthOf(prefix.limit(16)))
        .hasMessageContaining("its body has 4097 bytes; at most 4096 are allowed");
    assertThatThrownBy(() -> GreetingCodec.lengthOf(bytes(HELLO).putInt(12, -1)))
        .hasMessageContaining("4294967295 bytes");
  }

  @Test
  void somethingElseAltogetherIsNamed() {
    ByteBuffer http = ByteBuffer.wrap("GET / HTTP/1.1\r\n\r\n".getBytes());
    assertThatThrownBy(() -> GreetingCodec.lengthOf(http)).hasMessageContaining("no state stream");
  }

  @Test
  void everyMalformedBodyIsNamed() {
    assertThatThrownBy(() -> GreetingCodec.decode(resum(bytes(HELLO).putShort(8, (short) 5))))
        .hasMessageContaining("its kind 5 is not known");
    assertThatThrownBy(() -> GreetingCodec.decode(resum(bytes(HELLO).putShort(10, (short) 1))))
        .hasMessageContaining("reserved");
    assertThatThrownBy(() -> GreetingCodec.decode(resum(bytes(HELLO).putShort(36, (short) 600))))
        .hasMessageContaining("a field has 600 bytes");
    assertThatThrownBy(() -> GreetingCodec.decode(resum(bytes(HELLO).putShort(36, (short) 40))))
        .hasMessageContaining("malformed");
    assertThatThrownBy(() -> GreetingCodec.decode(resum(bytes(HELLO).putShort(41, (short) 31))))
        .hasMessageContaining("it has 1 bytes too many");
  }

  /** Of one, two or three bytes in UTF-8. */
  private static int character(Generator values) {
    return switch (values.integer(0, 2)) {
      case 0 -> values.integer('a', 'z');
      case 1 -> values.integer('\u00C0', '\u024F');
      default -> values.integer('\u4E00', '\u9FFF');
    };
  }

  private static void assertCorrupt(ByteBuffer bytes) {
    assertThatThrownBy(() -> GreetingCodec.decode(bytes))
        .isInstanceOfSatisfying(
            StreamException.class, why -> assertThat(why.kind()).isEqualTo(Kind.CORRUPT))
        .hasMessageStartingWith("the greeting is malformed: ");
  }

  private static ByteBuffer resum(ByteBuffer bytes) {
    int at = bytes.limit() - GreetingCodec.CRC_BYTES;
    CRC32C crc = new CRC32C();
    crc.update(bytes.array(), 0, at);
    return bytes.putInt(at, (int) crc.getValue());
  }

  private static byte[] token() {
    byte[] token = new byte[32];
    for (int index = 0; index < token.length; index++) {
      token[index] = (byte) index;
    }
    return token;
  }

  private static ByteBuffer bytes(String hex) {
    return ByteBuffer.wrap(HexFormat.of().parseHex(hex));
  }

  private static String hex(ByteBuffer bytes) {
    byte[] copy = new byte[bytes.remaining()];
    bytes.duplicate().get(copy);
    return HexFormat.of().formatHex(copy);
  }
}
