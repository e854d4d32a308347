package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import dev.vfio.migration.text.ForeignText;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * Why one end gives up: u16 code, then UTF-8 text to the end of the payload. ERROR carries it, and
 * REFUSE.
 *
 * @param kind what kind of trouble it is
 * @param message for people; cut to {@link #MAX_MESSAGE_BYTES} when encoded
 */
record ErrorReport(Kind kind, String message) {
  static final int MIN_BYTES = Short.BYTES;
  static final int MAX_MESSAGE_BYTES = 2048;
  static final int MAX_BYTES = MIN_BYTES + MAX_MESSAGE_BYTES;

  static ErrorReport of(StreamException why) {
    return new ErrorReport(why.kind(), String.valueOf(why.getMessage()));
  }

  ByteBuffer encode() {
    ByteBuffer text = StandardCharsets.UTF_8.encode(ForeignText.line(message, MAX_MESSAGE_BYTES));
    return ByteBuffer.allocateDirect(MIN_BYTES + text.remaining())
        .putShort((short) FaultCode.of(kind))
        .put(text)
        .flip();
  }

  static ErrorReport decode(ByteBuffer from) {
    Kind kind = FaultCode.kindOf(Short.toUnsignedInt(from.getShort()));
    return new ErrorReport(kind, StandardCharsets.UTF_8.decode(from).toString());
  }
}
