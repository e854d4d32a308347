package dev.vfio.migration.agent.journal.file;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * The bytes of a journal: how they are written and what can be known from them. A pure function of
 * bytes, so that a simulation damages and reads the very format that is on disk.
 *
 * <pre>
 *   8 bytes   "VFIOJRN2"
 *   slot 0, slot 1, each
 *     u32     how many entries there are; even counts are in slot 0, odd ones in slot 1
 *     u32     CRC32C of the first 8 bytes and the count
 *   entries, each
 *     u32     length of the payload, big endian, 1 to 1 MiB
 *     u32     CRC32C of the length's four bytes and the payload
 *     payload
 * </pre>
 *
 * <p>An entry is written before its count, and both are forced to the disk together before anybody
 * acts on the entry. So the slots hold the last two counts, and say which of two things a bad tail
 * is:
 *
 * <ul>
 *   <li>Torn: both slots are good and as many entries are good as the higher one counts. Whatever
 *       follows is an append that never ended, so nobody acted on it. It is cut off.
 *   <li>Damaged: anything else that is not whole. Entries were there that somebody may have acted
 *       on, and they cannot be read. A file with no head is of an earlier version that kept no
 *       count; it counts as damaged, because a lost tail could not be seen.
 * </ul>
 */
public final class JournalImage {
  static final int ENTRY_HEADER_BYTES = 8;
  static final int MAX_PAYLOAD_BYTES = 1 << 20;
  static final int HEAD_BYTES = 24;

  private static final byte[] MAGIC = "VFIOJRN2".getBytes(StandardCharsets.US_ASCII);
  private static final int SLOT_BYTES = 8;

  private JournalImage() {}

  /**
   * What was found.
   *
   * @param entries payloads in order, up to the first that is not good
   * @param end bytes of the file up to there
   * @param last the payload that ends the file where entries before it are bad, else null
   * @param damage null where the entries are all that anybody acted on
   */
  public record Contents(List<byte[]> entries, int end, byte[] last, String damage) {}

  /** A whole file of these entries, at least one. */
  public static byte[] of(List<byte[]> payloads) throws IOException {
    ByteArrayOutputStream image = new ByteArrayOutputStream();
    image.writeBytes(MAGIC);
    int even = payloads.size() - payloads.size() % 2;
    int odd = payloads.size() % 2 == 0 ? payloads.size() - 1 : payloads.size();
    image.writeBytes(slot(even));
    image.writeBytes(slot(odd));
    for (byte[] payload : payloads) {
      image.writeBytes(entry(payload));
    }
    return image.toByteArray();
  }

  /** An entry as it is written behind the last one. */
  public static byte[] entry(byte[] payload) throws IOException {
    if (payload.length < 1 || payload.length > MAX_PAYLOAD_BYTES) {
      throw new IOException(
          "an entry of " + payload.length + " bytes; it has 1 to " + MAX_PAYLOAD_BYTES);
    }
    ByteBuffer frame = ByteBuffer.allocate(ENTRY_HEADER_BYTES + payload.length);
    frame.putInt(payload.length).putInt(0).put(payload);
    frame.putInt(Integer.BYTES, entrySum(frame.array(), 0, payload.length));
    return frame.array();
  }

  /** The slot that says that there are so many entries. */
  public static byte[] slot(int count) {
    return ByteBuffer.allocate(SLOT_BYTES).putInt(count).putInt(slotSum(count)).array();
  }

  /** Where {@link #slot} is written, bytes from the beginning of the file. */
  public static int slotOffset(int count) {
    return MAGIC.length + count % 2 * SLOT_BYTES;
  }

  /** Reads a file; no bytes are too odd for it. */
  public static Contents read(byte[] bytes) {
    boolean headed =
        bytes.length >= HEAD_BYTES && Arrays.equals(bytes, 0, MAGIC.length, MAGIC, 0, MAGIC.length);
    if (!headed) {
      // An earlier version's entries begin at once; behind a damaged head they are where they were.
      int start = goodEntry(bytes, 0) >= 0 ? 0 : HEAD_BYTES;
      return contents(
          bytes, start, found -> "its head does not say how many entries there should be");
    }
    int even = slotAt(bytes, 0);
    int odd = slotAt(bytes, 1);
    return contents(bytes, HEAD_BYTES, found -> damage(found, even, odd, bytes.length));
  }

  /** The count in that slot, -1 where it is not good. */
  private static int slotAt(byte[] bytes, int slot) {
    ByteBuffer at = ByteBuffer.wrap(bytes, MAGIC.length + slot * SLOT_BYTES, SLOT_BYTES);
    int count = at.getInt();
    return count >= 0 && count % 2 == slot && at.getInt() == slotSum(count) ? count : -1;
  }

  private interface Judge {
    String damage(Contents found);
  }

  private static Contents contents(byte[] bytes, int start, Judge judge) {
    List<byte[]> entries = new ArrayList<>();
    int at = Math.min(start, bytes.length);
    int length = goodEntry(bytes, at);
    while (length >= 0) {
      entries.add(payload(bytes, at, length));
      at += ENTRY_HEADER_BYTES + length;
      length = goodEntry(bytes, at);
    }
    Contents good = new Contents(entries, at, null, null);
    String damage = judge.damage(good);
    return damage == null ? good : new Contents(entries, at, lastBehind(bytes, at), damage);
  }

  private static String damage(Contents found, int even, int odd, int length) {
    int good = found.entries().size();
    boolean whole = found.end() == length;
    if (even < 0 && odd < 0) {
      return "its head is not what was written, so entries behind the " + good + " may be lost";
    }
    int counted = Math.max(even, odd);
    if (even < 0 || odd < 0) {
      // The bad slot may have held the next count; the entry it stood for settles that.
      return whole && good == counted + 1
          ? null
          : "its head is not what was written, so entries behind entry " + good + " may be lost";
    }
    if (Math.abs(even - odd) != 1) {
      return "its head counts " + even + " and " + odd + " entries, which never follow each other";
    }
    if (good == counted || good == counted + 1 && whole) {
      return null;
    }
    return good < counted
        ? String.format(
            "entry %s of %s, at byte %s, is not what was written", good + 1, counted, found.end())
        : good + " entries are good and its head counts " + counted;
  }

  /** The good entry that ends the file, somewhere behind a bad one. */
  private static byte[] lastBehind(byte[] bytes, int bad) {
    for (int at = bad; at <= bytes.length - ENTRY_HEADER_BYTES; at++) {
      int left = bytes.length - at - ENTRY_HEADER_BYTES;
      // The length first: a checksum at each byte of a large file would take for ever.
      if (ByteBuffer.wrap(bytes).getInt(at) == left && goodEntry(bytes, at) == left) {
        return payload(bytes, at, left);
      }
    }
    return null;
  }

  private static byte[] payload(byte[] bytes, int at, int length) {
    int from = at + ENTRY_HEADER_BYTES;
    return Arrays.copyOfRange(bytes, from, from + length);
  }

  /** The length of the good entry's payload at that place, -1 where there is none. */
  private static int goodEntry(byte[] bytes, int at) {
    if (bytes.length - at < ENTRY_HEADER_BYTES) {
      return -1;
    }
    ByteBuffer header = ByteBuffer.wrap(bytes, at, ENTRY_HEADER_BYTES);
    int length = header.getInt();
    int sum = header.getInt();
    if (length < 1
        || length > MAX_PAYLOAD_BYTES
        || length > bytes.length - at - ENTRY_HEADER_BYTES) {
      return -1;
    }
    return sum == entrySum(bytes, at, length) ? length : -1;
  }

  private static int entrySum(byte[] bytes, int at, int length) {
    CRC32C sum = new CRC32C();
    sum.update(bytes, at, Integer.BYTES);
    sum.update(bytes, at + ENTRY_HEADER_BYTES, length);
    return (int) sum.getValue();
  }

  private static int slotSum(int count) {
    CRC32C sum = new CRC32C();
    sum.update(MAGIC);
    sum.update(ByteBuffer.allocate(Integer.BYTES).putInt(count).flip());
    return (int) sum.getValue();
  }
}
