package dev.vfio.migration.vfio.user;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.vfio.migration.vfio.json.StrictJson;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * What VERSION settles: the capabilities that this client offers and those of the server.
 *
 * @param maxTransferBytes the most data of one REGION_READ or REGION_WRITE, at least 8
 */
record ServerLimits(int maxTransferBytes) {
  static final int MAJOR = 0;
  static final int MINOR = 1;

  /** The most bytes of a server's capabilities that are looked at. */
  static final int MAX_BYTES = 16 << 10;

  /** The specification's value where a side says nothing. */
  static final int DEFAULT_TRANSFER_BYTES = 1 << 20;

  /** A register is 8 bytes wide and must move in one message. */
  private static final int MIN_TRANSFER_BYTES = Long.BYTES;

  private static final ObjectMapper JSON = new ObjectMapper();

  /** What the server said is not what the specification allows. */
  static final class MalformedException extends Exception {
    private static final long serialVersionUID = 1L;

    MalformedException(String message, Throwable cause) {
      super(message, cause);
    }
  }

  /** The version data that this client sends: one descriptor a message, transfers of 1 MiB. */
  static ByteBuffer offer() {
    byte[] json =
        JSON.createObjectNode()
            .set(
                "capabilities",
                JSON.createObjectNode()
                    .put("max_msg_fds", 1)
                    .put("max_data_xfer_size", DEFAULT_TRANSFER_BYTES))
            .toString()
            .getBytes(StandardCharsets.UTF_8);
    // One more byte, 0: the text is terminated.
    return ByteBuffer.allocateDirect(json.length + 1).put(json).position(0);
  }

  /**
   * Reads the server's version data.
   *
   * @param data from position to limit; empty where it sent none
   */
  static ServerLimits parse(ByteBuffer data) throws MalformedException {
    byte[] bytes = new byte[data.remaining()];
    data.get(bytes);
    int length = 0;
    while (length < bytes.length && bytes[length] != 0) {
      length++;
    }
    if (length == 0) {
      return new ServerLimits(DEFAULT_TRANSFER_BYTES);
    }
    JsonNode root;
    try {
      root = StrictJson.object(Arrays.copyOf(bytes, length));
    } catch (StrictJson.MalformedException malformed) {
      throw new MalformedException(
          "its capabilities are no JSON: " + malformed.getMessage(), malformed);
    }
    JsonNode capabilities = root.path("capabilities");
    if (!capabilities.isMissingNode() && !capabilities.isObject()) {
      throw new MalformedException("its capabilities are no JSON object", null);
    }
    JsonNode size = capabilities.path("max_data_xfer_size");
    if (size.isMissingNode()) {
      return new ServerLimits(DEFAULT_TRANSFER_BYTES);
    }
    if (!size.isIntegralNumber() || !size.canConvertToLong()) {
      throw new MalformedException("its max_data_xfer_size is no number: " + shortened(size), null);
    }
    if (size.longValue() < MIN_TRANSFER_BYTES) {
      throw new MalformedException(
          "its max_data_xfer_size of "
              + size.longValue()
              + " is too small for a register of 8 bytes",
          null);
    }
    return new ServerLimits((int) Math.min(size.longValue(), DEFAULT_TRANSFER_BYTES));
  }

  private static String shortened(JsonNode node) {
    String text = node.toString();
    return text.length() <= 60 ? text : text.substring(0, 60) + "...";
  }
}
