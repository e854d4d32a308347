package dev.vfio.migration.text;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.sandbox.generators.Seeds;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ForeignTextTest {

  @ParameterizedTest
  @CsvSource({
    "000A, \\n",
    "000D, \\r",
    "0009, \\t",
    "0000, \\u0000",
    "001B, \\u001b",
    "007F, \\u007f",
    "0085, \\u0085",
    "009B, \\u009b",
    "00AD, \\u00ad",
    "200B, \\u200b",
    "200F, \\u200f",
    "2028, \\u2028",
    "2029, \\u2029",
    "202E, \\u202e",
    "2066, \\u2066",
    "FEFF, \\ufeff",
    "D800, \\ud800",
    "DFFF, \\udfff",
    "FFFF, \\uffff",
    "E0001, \\U000e0001"
  })
  void whatBreaksOrTurnsALineIsEscaped(String character, String escape) {
    String text = "before" + Character.toString(Integer.parseInt(character, 16)) + "after";
    assertThat(ForeignText.isPlain(text)).isFalse();
    assertThat(ForeignText.line(text)).isEqualTo("before" + escape + "after");
  }

  @Test
  void whatCanBeReadStaysAsItIs() {
    for (String text :
        new String[] {"", "a \\n b", "C:\\new", "Größe 5 µs", "機器名 🚀", "100% of 8Ei"}) {
      assertThat(ForeignText.line(text)).isSameAs(text);
      assertThat(ForeignText.isPlain(text)).isTrue();
    }
  }

  @Test
  void whatIsCutSaysItsLengthAndKeepsItsEnds() {
    String cut = ForeignText.line("begin " + "x".repeat(120_000) + " end: reset it first.", 500);
    assertThat(cut)
        .startsWith("begin xxx")
        .contains("(cut, 120027 characters)")
        .endsWith("xxx end: reset it first.")
        .hasSizeLessThanOrEqualTo(500);
  }

  /** A sender of much text must not keep busy whoever reports it. */
  @Test
  @Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void ofALongTextOnlyWhatIsKeptIsEscaped() {
    String cut = ForeignText.line("\u0001".repeat(16 << 20) + "\ud83d\ude80", 100);
    assertThat(cut)
        .startsWith("\\u0001\\u0001")
        .contains("(cut, 16777218 characters)")
        .endsWith("\\u0001\ud83d\ude80");
  }

  @Test
  void noCharacterIsCutInTwo() {
    for (int length = 0; length < 8; length++) {
      String cut = ForeignText.line("a".repeat(length) + "🚀é機".repeat(100), 100 + length);
      assertThat(ForeignText.isPlain(cut)).isTrue();
      assertThat(cut.getBytes(StandardCharsets.UTF_8)).hasSizeBetween(90 + length, 100 + length);
    }
  }

  @Test
  void anyTextBecomesOneLineOnceAndForAll() {
    Seeds.check(
        1000,
        values -> {
          String text = values.text(0, 255, values::anyCodePoint);
          int maxBytes = values.integer(80, 400);
          String line = ForeignText.line(text, maxBytes);
          assertThat(ForeignText.isPlain(line)).isTrue();
          assertThat(line.getBytes(StandardCharsets.UTF_8).length).isLessThanOrEqualTo(maxBytes);
          assertThat(ForeignText.line(line, maxBytes)).isSameAs(line);
          assertThat(ForeignText.line(ForeignText.line(text))).isEqualTo(ForeignText.line(text));
        });
  }
}
