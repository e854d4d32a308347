package dev.vfio.migration.sandbox.apiserver.cel;

import com.google.re2j.Matcher;
import com.google.re2j.Pattern;
import dev.cel.common.types.CelType;
import dev.cel.common.types.ListType;
import dev.cel.common.types.OpaqueType;
import dev.cel.common.types.SimpleType;
import dev.cel.common.types.TypeParamType;
import dev.vfio.migration.sandbox.apiserver.quantity.Quantity;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Lists, texts and quantities: functions that Kubernetes adds to CEL
 * (https://kubernetes.io/docs/reference/using-api/cel/). Stateless.
 */
final class KubernetesFunctions {
  private static final CelType ITEM = TypeParamType.create("T");
  private static final CelType LIST = ListType.create(ITEM);
  private static final CelType QUANTITY = OpaqueType.create("kubernetes.Quantity");

  private KubernetesFunctions() {}

  static FunctionLibrary all() {
    FunctionLibrary library = new FunctionLibrary();
    lists(library);
    texts(library);
    quantities(library);
    NetworkFunctions.addTo(library);
    return library;
  }

  private static void lists(FunctionLibrary library) {
    library.member(
        "isSorted",
        "list_is_sorted",
        SimpleType.BOOL,
        LIST,
        List.class,
        KubernetesFunctions::isSorted);
    library.member("sum", "list_sum", ITEM, LIST, List.class, KubernetesFunctions::sum);
    library.member("min", "list_min", ITEM, LIST, List.class, list -> extreme(list, "min", -1));
    library.member("max", "list_max", ITEM, LIST, List.class, list -> extreme(list, "max", 1));
    library.member(
        "indexOf",
        "list_index_of",
        SimpleType.INT,
        LIST,
        ITEM,
        List.class,
        Object.class,
        (list, item) -> (long) list.indexOf(item));
    library.member(
        "lastIndexOf",
        "list_last_index_of",
        SimpleType.INT,
        LIST,
        ITEM,
        List.class,
        Object.class,
        (list, item) -> (long) list.lastIndexOf(item));
  }

  private static void texts(FunctionLibrary library) {
    library.member(
        "find",
        "string_find_string",
        SimpleType.STRING,
        SimpleType.STRING,
        SimpleType.STRING,
        String.class,
        String.class,
        (text, pattern) -> {
          Matcher matcher = Pattern.compile(pattern).matcher(text);
          return matcher.find() ? matcher.group() : "";
        });
    library.member(
        "findAll",
        "string_find_all_string",
        ListType.create(SimpleType.STRING),
        SimpleType.STRING,
        SimpleType.STRING,
        String.class,
        String.class,
        (text, pattern) -> findAll(text, pattern, -1));
    library.member(
        "findAll",
        "string_find_all_string_int",
        ListType.create(SimpleType.STRING),
        List.of(SimpleType.STRING, SimpleType.STRING, SimpleType.INT),
        List.of(String.class, String.class, Long.class),
        arguments -> findAll((String) arguments[0], (String) arguments[1], (Long) arguments[2]));
    library.member(
        "format",
        "string_format",
        SimpleType.STRING,
        SimpleType.STRING,
        ListType.create(SimpleType.DYN),
        String.class,
        List.class,
        TextFormat::format);
  }

  private static void quantities(FunctionLibrary library) {
    library.global(
        "quantity",
        "string_to_quantity",
        QUANTITY,
        SimpleType.STRING,
        String.class,
        Quantity::parse);
    library.global(
        "isQuantity",
        "is_quantity_string",
        SimpleType.BOOL,
        SimpleType.STRING,
        String.class,
        Quantity::isValid);
    library.member(
        "sign",
        "quantity_sign",
        SimpleType.INT,
        QUANTITY,
        Quantity.class,
        quantity -> (long) quantity.sign());
    library.member(
        "isInteger",
        "quantity_is_integer",
        SimpleType.BOOL,
        QUANTITY,
        Quantity.class,
        Quantity::isInteger);
    library.member(
        "asInteger",
        "quantity_get_int",
        SimpleType.INT,
        QUANTITY,
        Quantity.class,
        Quantity::toLong);
    library.member(
        "asApproximateFloat",
        "quantity_get_float",
        SimpleType.DOUBLE,
        QUANTITY,
        Quantity.class,
        Quantity::toDouble);
    compare(library, "compareTo", SimpleType.INT, (left, right) -> (long) left.compareTo(right));
    compare(library, "isLessThan", SimpleType.BOOL, (left, right) -> left.compareTo(right) < 0);
    compare(library, "isGreaterThan", SimpleType.BOOL, (left, right) -> left.compareTo(right) > 0);
    compare(library, "add", QUANTITY, Quantity::plus);
    compare(library, "sub", QUANTITY, Quantity::minus);
    withNumber(library, "add", (left, right) -> left.plus(Quantity.of(right)));
    withNumber(library, "sub", (left, right) -> left.minus(Quantity.of(right)));
  }

  private static void compare(
      FunctionLibrary library,
      String name,
      CelType result,
      FunctionLibrary.Two<Quantity, Quantity> body) {
    library.member(
        name,
        "quantity_" + name + "_quantity",
        result,
        QUANTITY,
        QUANTITY,
        Quantity.class,
        Quantity.class,
        body);
  }

  private static void withNumber(
      FunctionLibrary library, String name, FunctionLibrary.Two<Quantity, Long> body) {
    library.member(
        name,
        "quantity_" + name + "_int",
        QUANTITY,
        QUANTITY,
        SimpleType.INT,
        Quantity.class,
        Long.class,
        body);
  }

  private static boolean isSorted(List<?> list) {
    for (int i = 1; i < list.size(); i++) {
      if (order(list.get(i - 1), list.get(i)) > 0) {
        return false;
      }
    }
    return true;
  }

  private static Object sum(List<?> list) {
    Object sum = null;
    for (Object item : list) {
      if (sum == null) {
        sum = item;
      } else if (sum instanceof Long left && item instanceof Long right) {
        sum = Math.addExact(left, right);
      } else if (sum instanceof Number left && item instanceof Number right) {
        sum = left.doubleValue() + right.doubleValue();
      } else if (sum instanceof Duration left && item instanceof Duration right) {
        sum = left.plus(right);
      } else {
        throw new IllegalArgumentException("no such overload: sum of a list that holds " + item);
      }
    }
    return sum == null ? Long.valueOf(0) : sum;
  }

  private static Object extreme(List<?> list, String name, int wanted) {
    if (list.isEmpty()) {
      throw new IllegalArgumentException(name + " called on empty list");
    }
    Object best = list.get(0);
    for (Object item : list) {
      if (Integer.signum(order(item, best)) == wanted) {
        best = item;
      }
    }
    return best;
  }

  @SuppressWarnings("unchecked")
  private static int order(Object left, Object right) {
    if (left instanceof Number first
        && right instanceof Number second
        && left.getClass() != right.getClass()) {
      return Double.compare(first.doubleValue(), second.doubleValue());
    }
    if (left instanceof Comparable<?> comparable && left.getClass() == right.getClass()) {
      return ((Comparable<Object>) comparable).compareTo(right);
    }
    throw new IllegalArgumentException(
        "no such overload: %s and %s have no order".formatted(left, right));
  }

  private static List<String> findAll(String text, String pattern, long most) {
    List<String> found = new ArrayList<>();
    Matcher matcher = Pattern.compile(pattern).matcher(text);
    while ((most < 0 || found.size() < most) && matcher.find()) {
      found.add(matcher.group());
    }
    return found;
  }
}
