package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import dev.vfio.migration.agent.stream.netty.Greeting.Hello;
import dev.vfio.migration.agent.stream.netty.Greeting.Refusal;
import dev.vfio.migration.agent.stream.netty.Greeting.Resume;
import dev.vfio.migration.agent.stream.netty.Greeting.Welcome;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.zip.CRC32C;

/**
 * The form of a greeting, the same in all versions, big-endian:
 *
 * <pre>
 *  0  u64 magic "VFIOMIGR"
 *  8  u16 kind: 1 HELLO, 2 WELCOME, 3 REFUSE, 4 RESUME
 * 10  u16 reserved, 0
 * 12  u32 body length in bytes, at most 4096
 * 16  body
 *  .  u32 CRC32C of everything before it
 * </pre>
 *
 * The body of HELLO and RESUME begins with u16 lowest and u16 highest version in all versions. Then
 * HELLO: u32 stream, u32 streams, u32 chunk bytes, u32 idle milliseconds, u16 length and UTF-8 of
 * the migration, u16 length and bytes of the token. WELCOME: u16 version, u32 idle milliseconds,
 * since version 2 also 16 bytes of the stream's key, u64 the next frame. REFUSE: {@link
 * ErrorReport}. RESUME: u32 stream, u32 idle milliseconds, migration, token, 16 bytes of the key.
 */
final class GreetingCodec {
  static final long MAGIC = 0x5646_494F_4D49_4752L;
  static final int PREFIX_BYTES = 16;
  static final int CRC_BYTES = Integer.BYTES;
  static final int MAX_BODY_BYTES = 4096;
  static final int MAX_BYTES = PREFIX_BYTES + MAX_BODY_BYTES + CRC_BYTES;
  static final int MAX_MIGRATION_BYTES = 512;

  private static final int HELLO = 1;
  private static final int WELCOME = 2;
  private static final int REFUSE = 3;
  private static final int RESUME = 4;

  private GreetingCodec() {}

  static ByteBuffer encode(Greeting greeting) {
    ByteBuffer to = ByteBuffer.allocateDirect(MAX_BYTES);
    to.putLong(MAGIC).putInt(0).putInt(0);
    int kind;
    if (greeting instanceof Hello hello) {
      kind = HELLO;
      to.putShort((short) hello.lowestVersion()).putShort((short) hello.highestVersion());
      to.putInt(hello.stream()).putInt(hello.streams());
      to.putInt(hello.chunkBytes()).putInt(hello.idleMillis());
      putBytes(to, hello.migration().getBytes(StandardCharsets.UTF_8));
      putBytes(to, hello.token());
    } else if (greeting instanceof Welcome welcome) {
      kind = WELCOME;
      to.putShort((short) welcome.version()).putInt(welcome.idleMillis());
      if (welcome.version() >= Greeting.RESUMABLE_VERSION) {
        to.put(welcome.key()).putLong(welcome.next());
      }
    } else if (greeting instanceof Resume resume) {
      kind = RESUME;
      to.putShort((short) resume.lowestVersion()).putShort((short) resume.highestVersion());
      to.putInt(resume.stream()).putInt(resume.idleMillis());
      putBytes(to, resume.migration().getBytes(StandardCharsets.UTF_8));
      putBytes(to, resume.token());
      to.put(resume.key());
    } else {
      kind = REFUSE;
      to.put(((Refusal) greeting).report().encode());
    }
    to.putShort(8, (short) kind);
    to.putInt(12, to.position() - PREFIX_BYTES);
    to.putInt(crcOf(to.duplicate().flip()));
    return to.flip();
  }

  /**
   * Bytes of the whole greeting whose first 16 bytes are at the buffer's position.
   *
   * @throws StreamException CORRUPT where these cannot be the beginning of a greeting
   */
  static int lengthOf(ByteBuffer prefix) throws StreamException {
    int start = prefix.position();
    long magic = prefix.getLong(start);
    if (magic != MAGIC) {
      throw corrupt(
          String.format(
              Locale.ROOT,
              "it begins with 0x%016x, not with \"VFIOMIGR\": no state stream",
              magic));
    }
    int body = prefix.getInt(start + 12);
    if (body < 0 || body > MAX_BODY_BYTES) {
      throw corrupt(
          String.format(
              "its body has %s bytes; at most %s are allowed",
              Integer.toUnsignedString(body), MAX_BODY_BYTES));
    }
    return PREFIX_BYTES + body + CRC_BYTES;
  }

  /**
   * Reads one whole greeting, position to limit.
   *
   * @throws StreamException CORRUPT where it is malformed, VERSION where it is a HELLO of versions
   *     that we do not speak
   */
  static Greeting decode(ByteBuffer from) throws StreamException {
    if (from.remaining() < PREFIX_BYTES || from.remaining() != lengthOf(from)) {
      throw corrupt("it is not complete");
    }
    ByteBuffer checked = from.duplicate().limit(from.limit() - CRC_BYTES);
    int crc = crcOf(checked.duplicate());
    int claimed = from.getInt(checked.limit());
    if (crc != claimed) {
      throw corrupt(
          String.format(Locale.ROOT, "its CRC32C is 0x%08x, but it says 0x%08x", crc, claimed));
    }
    checked.getLong();
    int kind = Short.toUnsignedInt(checked.getShort());
    if (checked.getShort() != 0) {
      throw corrupt("its reserved field is not 0");
    }
    checked.getInt();
    try {
      Greeting greeting =
          switch (kind) {
            case HELLO -> hello(checked);
            case WELCOME -> welcome(checked);
            case REFUSE -> new Refusal(ErrorReport.decode(checked));
            case RESUME -> resume(checked);
            default -> throw corrupt("its kind " + kind + " is not known");
          };
      if (checked.hasRemaining()) {
        throw corrupt("it has " + checked.remaining() + " bytes too many");
      }
      return greeting;
    } catch (BufferUnderflowException tooShort) {
      throw corrupt("its body is too short");
    }
  }

  private static Hello hello(ByteBuffer body) throws StreamException {
    int lowest = Short.toUnsignedInt(body.getShort());
    int highest = Short.toUnsignedInt(body.getShort());
    requireCommon(lowest, highest, Greeting.LOWEST_VERSION);
    int stream = body.getInt();
    int streams = body.getInt();
    int chunkBytes = body.getInt();
    int idleMillis = body.getInt();
    String migration = new String(getBytes(body, MAX_MIGRATION_BYTES), StandardCharsets.UTF_8);
    byte[] token = getBytes(body, Greeting.TOKEN_BYTES);
    return new Hello(lowest, highest, stream, streams, chunkBytes, idleMillis, migration, token);
  }

  private static Welcome welcome(ByteBuffer body) {
    int version = Short.toUnsignedInt(body.getShort());
    int idleMillis = body.getInt();
    return version < Greeting.RESUMABLE_VERSION
        ? new Welcome(version, idleMillis)
        : new Welcome(version, idleMillis, key(body), body.getLong());
  }

  private static Resume resume(ByteBuffer body) throws StreamException {
    int lowest = Short.toUnsignedInt(body.getShort());
    int highest = Short.toUnsignedInt(body.getShort());
    requireCommon(lowest, highest, Greeting.RESUMABLE_VERSION);
    int stream = body.getInt();
    int idleMillis = body.getInt();
    String migration = new String(getBytes(body, MAX_MIGRATION_BYTES), StandardCharsets.UTF_8);
    byte[] token = getBytes(body, Greeting.TOKEN_BYTES);
    return new Resume(lowest, highest, stream, idleMillis, migration, token, key(body));
  }

  private static void requireCommon(int lowest, int highest, int ownLowest) throws StreamException {
    if (lowest > Greeting.VERSION || highest < ownLowest) {
      throw new StreamException(
          Kind.VERSION,
          String.format(
              "the source speaks stream versions %s to %s, the destination speaks versions %s to"
                  + " %s: bring both agents to the same release",
              lowest, highest, ownLowest, Greeting.VERSION));
    }
  }

  private static byte[] key(ByteBuffer from) {
    byte[] key = new byte[Greeting.KEY_BYTES];
    from.get(key);
    return key;
  }

  private static void putBytes(ByteBuffer to, byte[] bytes) {
    to.putShort((short) bytes.length).put(bytes);
  }

  private static byte[] getBytes(ByteBuffer from, int maximum) throws StreamException {
    int length = Short.toUnsignedInt(from.getShort());
    if (length > maximum) {
      throw corrupt("a field has " + length + " bytes; at most " + maximum + " are allowed");
    }
    byte[] bytes = new byte[length];
    from.get(bytes);
    return bytes;
  }

  private static int crcOf(ByteBuffer bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes);
    return (int) crc.getValue();
  }

  private static StreamException corrupt(String what) {
    return new StreamException(Kind.CORRUPT, "the greeting is malformed: " + what);
  }
}
