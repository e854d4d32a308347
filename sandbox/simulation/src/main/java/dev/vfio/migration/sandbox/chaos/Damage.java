package dev.vfio.migration.sandbox.chaos;

import dev.vfio.migration.agent.journal.file.JournalImage;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/** What a disk does to a journal that it held: one fault at a time. */
final class Damage {
  private Damage() {}

  /** A flipped bit or a lost tail, anywhere. */
  static byte[] byChance(byte[] image, Chance chance) {
    if (image.length == 0) {
      return image;
    }
    int at = chance.below(image.length);
    return chance.oneIn(2) ? flipped(image, at, chance.below(8)) : Arrays.copyOf(image, at);
  }

  private static byte[] flipped(byte[] image, int at, int bit) {
    byte[] changed = image.clone();
    changed[at] ^= (byte) (1 << bit);
    return changed;
  }

  /** Every way to lose the last entry of a journal that has two or more, by its name. */
  static Map<String, UnaryOperator<byte[]>> ofTheLastEntry() {
    Map<String, UnaryOperator<byte[]>> ways = new LinkedHashMap<>();
    ways.put("its first bit is flipped", image -> flipped(image, start(image), 7));
    ways.put("its checksum is flipped", image -> flipped(image, start(image) + 5, 0));
    ways.put("a bit of it is flipped", image -> flipped(image, image.length - 3, 2));
    ways.put("it is cut off whole", image -> Arrays.copyOf(image, start(image)));
    ways.put("its last byte is cut off", image -> Arrays.copyOf(image, image.length - 1));
    ways.put("only its first byte is left", image -> Arrays.copyOf(image, start(image) + 1));
    return ways;
  }

  private static int start(byte[] image) {
    List<byte[]> entries = JournalImage.read(image).entries();
    int last = entries.isEmpty() ? 0 : entries.get(entries.size() - 1).length + 8;
    return image.length - last;
  }
}
