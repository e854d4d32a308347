package dev.vfio.migration.sandbox.devices.fault;

import dev.vfio.migration.sandbox.devices.lifecycle.DeviceState;
import dev.vfio.migration.sandbox.devices.refusal.Errno;
import java.util.Arrays;
import java.util.Optional;

/**
 * One fault on demand. Immutable.
 *
 * @param state the state it is tied to; null for faults that hold in every state
 * @param number bytes for {@code fail-buffer}, milliseconds for {@code stall}, else 0
 * @param errno what the client gets, for faults that refuse
 * @param word a variant, such as {@code beyond}; empty for the plain fault
 * @param times how often it fires before it is spent; {@link #ALWAYS} for ever
 * @param notation as it was given
 */
public record Fault(
    FaultKind kind,
    DeviceState state,
    long number,
    int errno,
    String word,
    int times,
    String notation) {

  public static final int ALWAYS = Integer.MAX_VALUE;

  /**
   * Reads {@code NAME}, {@code NAME=STATE}, {@code NAME=STATE:ERRNO}, {@code NAME=STATE:WORD},
   * {@code NAME=STATE:MILLISECONDS}, {@code NAME=STATE@BYTES:ERRNO} or {@code NAME:ERRNO}; {@code
   * *N} at the end lets it fire N times only.
   *
   * @throws IllegalArgumentException with a sentence that says what is wrong
   */
  public static Fault parse(String notation) {
    String rest = notation.strip();
    int times = ALWAYS;
    int star = rest.lastIndexOf('*');
    if (star >= 0) {
      times = (int) number(notation, rest.substring(star + 1));
      rest = rest.substring(0, star);
    }
    int nameEnd = firstOf(rest, "=:");
    FaultKind kind = kindOf(notation, rest.substring(0, nameEnd));
    String argument = nameEnd < rest.length() ? rest.substring(nameEnd + 1) : "";
    return switch (kind.argument()) {
      case NONE -> {
        if (!argument.isEmpty()) {
          throw wrong(notation, "takes no argument");
        }
        yield new Fault(kind, null, 0, Errno.EINVAL, "", times, notation);
      }
      case ERRNO ->
          new Fault(kind, null, 0, errno(notation, argument, Errno.EINVAL), "", times, notation);
      case WORD -> new Fault(kind, null, 0, Errno.EINVAL, argument, times, notation);
      case STATE -> {
        DeviceState state = state(notation, argument);
        yield new Fault(kind, state, 0, Errno.EINVAL, "", times, notation);
      }
      case STATE_AND_ERRNO -> {
        DeviceState state = state(notation, before(argument, ':'));
        int errno = errno(notation, after(argument, ':'), Errno.EIO);
        yield new Fault(kind, state, 0, errno, "", times, notation);
      }
      case STATE_AND_NUMBER -> {
        DeviceState state = state(notation, before(argument, ':'));
        long number = number(notation, after(argument, ':'));
        yield new Fault(kind, state, number, 0, "", times, notation);
      }
      case STATE_AND_WORD -> {
        DeviceState state = state(notation, before(argument, ':'));
        yield new Fault(kind, state, 0, Errno.EINVAL, after(argument, ':'), times, notation);
      }
      case STATE_AT_BYTES -> {
        DeviceState state = state(notation, before(argument, '@'));
        String limit = after(argument, '@');
        long bytes = number(notation, before(limit, ':'));
        int errno = errno(notation, after(limit, ':'), Errno.EIO);
        yield new Fault(kind, state, bytes, errno, "", times, notation);
      }
    };
  }

  private static FaultKind kindOf(String notation, String name) {
    Optional<FaultKind> kind =
        Arrays.stream(FaultKind.values()).filter(it -> it.notation().equals(name)).findFirst();
    return kind.orElseThrow(
        () ->
            new IllegalArgumentException(
                String.format(
                    "no fault is called '%s' (in '%s'); there are %s",
                    name,
                    notation,
                    Arrays.stream(FaultKind.values()).map(FaultKind::notation).toList())));
  }

  private static DeviceState state(String notation, String name) {
    return Arrays.stream(DeviceState.values())
        .filter(it -> it.name().equals(name))
        .findFirst()
        .orElseThrow(() -> wrong(notation, "needs a device state, not '" + name + "'"));
  }

  private static int errno(String notation, String text, int otherwise) {
    if (text.isEmpty()) {
      return otherwise;
    }
    long errno = number(notation, text);
    if (errno < 1 || errno > 4095) {
      throw wrong(notation, "has an errno outside 1 to 4095");
    }
    return (int) errno;
  }

  private static long number(String notation, String text) {
    if (!text.matches("[0-9]{1,12}")) {
      throw wrong(notation, "needs a number, not '" + text + "'");
    }
    return Long.parseLong(text);
  }

  private static IllegalArgumentException wrong(String notation, String what) {
    return new IllegalArgumentException("the fault '" + notation + "' " + what);
  }

  private static int firstOf(String text, String characters) {
    for (int index = 0; index < text.length(); index++) {
      if (characters.indexOf(text.charAt(index)) >= 0) {
        return index;
      }
    }
    return text.length();
  }

  private static String before(String text, char separator) {
    int index = text.indexOf(separator);
    return index < 0 ? text : text.substring(0, index);
  }

  private static String after(String text, char separator) {
    int index = text.indexOf(separator);
    return index < 0 ? "" : text.substring(index + 1);
  }
}
