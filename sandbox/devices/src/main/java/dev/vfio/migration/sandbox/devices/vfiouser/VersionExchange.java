package dev.vfio.migration.sandbox.devices.vfiouser;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import dev.vfio.migration.sandbox.devices.lines.JsonObjects;
import dev.vfio.migration.sandbox.devices.refusal.Errno;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/**
 * The VERSION exchange: u16 major, u16 minor, NUL-terminated JSON with capabilities. Immutable.
 *
 * @param minor the version both sides speak is 0.minor
 * @param takesDescriptors whether the client said that it takes file descriptors
 * @param reply the JSON that answers; only capabilities that the client named are in it
 */
record VersionExchange(int minor, boolean takesDescriptors, String reply) {
  private static final int MAJOR = 0;
  private static final int LATEST_MINOR = 1;
  private static final String MAX_DESCRIPTORS = "max_msg_fds";
  private static final String MAX_TRANSFER = "max_data_xfer_size";

  /**
   * Reads a client's proposal.
   *
   * @throws RefusalException EINVAL for another major version or data that is not JSON
   */
  static VersionExchange answer(ByteBuffer payload) throws RefusalException {
    if (payload.remaining() < 2 * Short.BYTES) {
      throw new RefusalException(Errno.EINVAL, "VERSION is too short");
    }
    int major = Short.toUnsignedInt(payload.getShort());
    int minor = Short.toUnsignedInt(payload.getShort());
    if (major != MAJOR) {
      throw new RefusalException(Errno.EINVAL, "this server speaks version 0, not " + major);
    }
    Map<?, ?> capabilities = capabilities(payload);
    Object descriptors = capabilities.get(MAX_DESCRIPTORS);
    boolean takes = descriptors instanceof Number number && number.longValue() >= 1;
    try {
      return new VersionExchange(Math.min(minor, LATEST_MINOR), takes, reply(capabilities));
    } catch (IOException e) {
      throw new RefusalException(Errno.EINVAL, "VERSION cannot be answered: " + e.getMessage());
    }
  }

  /** Writes the answer's payload. */
  void write(ByteBuffer out) {
    out.putShort((short) MAJOR).putShort((short) minor);
    out.put(reply.getBytes(StandardCharsets.UTF_8)).put((byte) 0);
  }

  private static Map<?, ?> capabilities(ByteBuffer payload) throws RefusalException {
    byte[] bytes = new byte[payload.remaining()];
    payload.get(bytes);
    String text = new String(bytes, StandardCharsets.UTF_8);
    int end = text.indexOf('\0');
    String json = (end < 0 ? text : text.substring(0, end)).strip();
    if (json.isEmpty()) {
      return Map.of();
    }
    try {
      Object capabilities = JsonObjects.parse(json).get("capabilities");
      return capabilities instanceof Map<?, ?> map ? map : Map.of();
    } catch (IOException e) {
      throw new RefusalException(Errno.EINVAL, "VERSION data is not JSON: " + e.getMessage());
    }
  }

  private static String reply(Map<?, ?> proposed) throws IOException {
    StringWriter text = new StringWriter();
    try (JsonGenerator json = new JsonFactory().createGenerator(text)) {
      json.writeStartObject();
      json.writeObjectFieldStart("capabilities");
      if (proposed.containsKey(MAX_DESCRIPTORS)) {
        json.writeNumberField(MAX_DESCRIPTORS, 1);
      }
      if (proposed.containsKey(MAX_TRANSFER)) {
        json.writeNumberField(MAX_TRANSFER, Message.MAX_TRANSFER);
      }
      json.writeEndObject();
      json.writeEndObject();
    }
    return text.toString();
  }
}
