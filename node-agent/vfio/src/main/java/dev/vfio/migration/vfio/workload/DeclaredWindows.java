package dev.vfio.migration.vfio.workload;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.text.ForeignText;
import dev.vfio.migration.vfio.json.StrictJson;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Reads and checks the windows that a workload declares. Which files may be behind them is for
 * {@link WindowDirectories} to say.
 */
public final class DeclaredWindows {
  public static final int MAX_WINDOWS = 1024;

  /** Version of the workload protocol, of the transfer protocol, and of {@code memory.json}. */
  public static final int PROTOCOL = 1;

  private static final String WINDOWS = "windows";

  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9]([-._A-Za-z0-9]{0,62})?");

  /** What the workload declared cannot be used; the message names the window and why. */
  public static final class UnusableException extends Exception {
    private static final long serialVersionUID = 1L;

    public UnusableException(String message) {
      super(ForeignText.quote(message));
    }
  }

  /**
   * A window as it was declared, its place and size checked.
   *
   * @param logged whether the device's dirty log covers every writer of this memory
   * @param declaration with the members that say where the memory is
   */
  public record Declared(WindowShape shape, boolean logged, JsonNode declaration) {}

  private DeclaredWindows() {}

  /** Whether a window may be called so. */
  public static boolean isName(String name) {
    return NAME.matcher(name).matches();
  }

  /**
   * Reads the windows and opens a descriptor of the file behind each.
   *
   * @param known members that the declaration may have beside its windows
   * @param pageSize bytes
   * @param user the user id of the workload's process
   */
  static OpenWindows open(
      JsonNode declaration,
      Set<String> known,
      int pageSize,
      int user,
      WindowDirectories directories)
      throws UnusableException {
    List<DmaWindow> windows = new ArrayList<>();
    try {
      for (Declared one : read(declaration, known, "file", pageSize)) {
        WindowShape shape = one.shape();
        Path file = path(one.declaration(), shape.name());
        windows.add(
            new DmaWindow(
                shape.name(),
                shape.iova(),
                shape.size(),
                file,
                one.logged(),
                Optional.of(directories.handle(shape, file, user))));
      }
      return new OpenWindows(windows);
    } catch (Throwable failure) {
      new OpenWindows(windows).close();
      throw failure;
    }
  }

  /**
   * Reads the windows, wherever their memory is. The member "windows" is required, also as an empty
   * list. An unknown member is refused, because it may describe memory that must move.
   *
   * @param declaration that has the windows
   * @param known members that it may have beside them
   * @param place the member of a window that says where its memory is
   * @param pageSize bytes
   */
  public static List<Declared> read(
      JsonNode declaration, Set<String> known, String place, int pageSize)
      throws UnusableException {
    Set<String> members = new HashSet<>(known);
    members.add(WINDOWS);
    Optional<String> unknown = StrictJson.unknown(declaration, members, PROTOCOL);
    JsonNode declared = declaration.path(WINDOWS);
    if (declared.isMissingNode()) {
      throw new UnusableException(
          "it must say \"windows\", an empty list where no memory moves"
              + unknown.map(what -> "; it " + what).orElse(""));
    }
    if (unknown.isPresent()) {
      throw new UnusableException("it " + unknown.get());
    }
    if (!declared.isArray()) {
      throw new UnusableException(
          "\"windows\" must be said in a list, an empty one where no memory moves");
    }
    if (declared.size() > MAX_WINDOWS) {
      throw new UnusableException(
          "it declares " + declared.size() + " windows, and at most " + MAX_WINDOWS + " are moved");
    }
    Set<String> ofWindow = Set.of("name", "iova", "size", "logged", place);
    List<Declared> windows = new ArrayList<>();
    Set<String> names = new HashSet<>();
    for (JsonNode one : declared) {
      Declared window = parse(one, pageSize);
      String name = window.shape().name();
      Optional<String> strange = StrictJson.unknown(one, ofWindow, PROTOCOL);
      if (strange.isPresent()) {
        throw new UnusableException("window " + name + " " + strange.get());
      }
      if (!names.add(name)) {
        throw new UnusableException("window " + name + ": another window has that name");
      }
      windows.add(window);
    }
    requireApart(windows);
    return List.copyOf(windows);
  }

  private static Declared parse(JsonNode one, int pageSize) throws UnusableException {
    String name = one.path("name").asText("");
    if (!one.path("name").isTextual() || !isName(name)) {
      throw new UnusableException(
          "every window needs a name of at most 63 letters, digits, dots, dashes and underscores");
    }
    long iova = number(one, name, "iova");
    long size = number(one, name, "size");
    if (iova % pageSize != 0 || size % pageSize != 0 || size < pageSize) {
      throw new UnusableException(
          String.format(
              "window %s: iova %s and size %s must be multiples of the page size %s, the size at"
                  + " least one page",
              name, iova, size, pageSize));
    }
    if (size > Long.MAX_VALUE - iova) {
      throw new UnusableException("window " + name + " reaches beyond the address space");
    }
    JsonNode logged = one.path("logged");
    if (!logged.isMissingNode() && !logged.isBoolean()) {
      throw new UnusableException("window " + name + ": logged must be true or false");
    }
    return new Declared(new WindowShape(name, iova, size), logged.asBoolean(false), one);
  }

  private static long number(JsonNode one, String name, String member) throws UnusableException {
    JsonNode value = one.path(member);
    if (!value.isIntegralNumber() || !value.canConvertToLong() || value.longValue() < 0) {
      throw new UnusableException("window " + name + ": " + member + " must be a number from 0 on");
    }
    return value.longValue();
  }

  private static Path path(JsonNode one, String name) throws UnusableException {
    if (!one.path("file").isTextual()) {
      throw new UnusableException("window " + name + ": its file must be given");
    }
    String text = one.path("file").textValue();
    try {
      Path file = Path.of(text);
      if (file.isAbsolute()) {
        return file;
      }
    } catch (InvalidPathException malformed) {
      throw new UnusableException(
          String.format(
              "window %s: this agent, whose file names are in %s, can name no file %s: %s",
              name, System.getProperty("sun.jnu.encoding"), text, malformed.getReason()));
    }
    throw new UnusableException("window " + name + ": its file must be an absolute path");
  }

  private static void requireApart(List<Declared> windows) throws UnusableException {
    List<WindowShape> rising = new ArrayList<>();
    windows.forEach(window -> rising.add(window.shape()));
    rising.sort(Comparator.comparingLong(WindowShape::iova));
    for (int i = 1; i < rising.size(); i++) {
      WindowShape lower = rising.get(i - 1);
      WindowShape upper = rising.get(i);
      if (lower.iova() + lower.size() > upper.iova()) {
        throw new UnusableException(
            String.format(
                "windows %s and %s overlap at iova %s", lower.name(), upper.name(), upper.iova()));
      }
    }
  }
}
