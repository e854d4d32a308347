package dev.vfio.migration.sandbox.apiserver.cel;

import com.google.common.net.InetAddresses;
import dev.cel.common.types.CelType;
import dev.cel.common.types.ListType;
import dev.cel.common.types.MapType;
import dev.cel.common.types.OpaqueType;
import dev.cel.common.types.SimpleType;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** URLs, IP addresses and ranges of them: functions that Kubernetes adds to CEL. Stateless. */
final class NetworkFunctions {
  private static final CelType URL = OpaqueType.create("kubernetes.URL");
  private static final CelType IP = OpaqueType.create("net.IP");
  private static final CelType CIDR = OpaqueType.create("net.CIDR");
  private static final int BITS = 8;

  private NetworkFunctions() {}

  /** A range of addresses; the address need not be the first of the range. */
  private record Range(InetAddress base, int bits) {
    static Range parse(String text) {
      int slash = text.indexOf('/');
      if (slash < 0) {
        throw new IllegalArgumentException(
            "network address parse error during conversion from string: " + text);
      }
      InetAddress address = NetworkFunctions.address(text.substring(0, slash));
      int bits = Integer.parseInt(text.substring(slash + 1));
      if (bits < 0 || bits > address.getAddress().length * BITS) {
        throw new IllegalArgumentException(
            "network address parse error during conversion from string: " + text);
      }
      return new Range(address, bits);
    }

    boolean contains(InetAddress other) {
      byte[] mine = base.getAddress();
      byte[] theirs = other.getAddress();
      return mine.length == theirs.length
          && Arrays.equals(masked(mine, bits), masked(theirs, bits));
    }

    boolean contains(Range other) {
      return other.bits >= bits && contains(other.base);
    }

    Range masked() {
      try {
        return new Range(InetAddress.getByAddress(masked(base.getAddress(), bits)), bits);
      } catch (UnknownHostException e) {
        throw new IllegalStateException("an address of another length than it was read with", e);
      }
    }

    private static byte[] masked(byte[] bytes, int bits) {
      byte[] masked = new byte[bytes.length];
      for (int i = 0; i < bytes.length; i++) {
        int kept = Math.max(0, Math.min(BITS, bits - i * BITS));
        masked[i] = (byte) (bytes[i] & (0xFF << (BITS - kept)));
      }
      return masked;
    }
  }

  static void addTo(FunctionLibrary library) {
    urls(library);
    addresses(library);
    ranges(library);
  }

  private static void urls(FunctionLibrary library) {
    CelType text = SimpleType.STRING;
    library.global("url", "string_to_url", URL, text, String.class, NetworkFunctions::url);
    library.global(
        "isURL",
        "is_url_string",
        SimpleType.BOOL,
        text,
        String.class,
        each -> holds(() -> url(each)));
    library.member(
        "getScheme", "url_get_scheme", text, URL, URI.class, url -> orEmpty(url.getScheme()));
    library.member(
        "getHost", "url_get_host", text, URL, URI.class, url -> orEmpty(url.getRawAuthority()));
    library.member(
        "getHostname",
        "url_get_hostname",
        text,
        URL,
        URI.class,
        url -> orEmpty(url.getHost()).replaceAll("^\\[|]$", ""));
    library.member(
        "getPort",
        "url_get_port",
        text,
        URL,
        URI.class,
        url -> url.getPort() < 0 ? "" : String.valueOf(url.getPort()));
    library.member(
        "getEscapedPath",
        "url_get_escaped_path",
        text,
        URL,
        URI.class,
        url -> orEmpty(url.getRawPath()));
    library.member(
        "getQuery",
        "url_get_query",
        MapType.create(text, ListType.create(text)),
        URL,
        URI.class,
        NetworkFunctions::query);
  }

  private static void addresses(FunctionLibrary library) {
    CelType bool = SimpleType.BOOL;
    library.global(
        "ip", "string_to_ip", IP, SimpleType.STRING, String.class, NetworkFunctions::address);
    library.global(
        "isIP", "is_ip", bool, SimpleType.STRING, String.class, text -> holds(() -> address(text)));
    library.member(
        "family", "ip_family", SimpleType.INT, IP, InetAddress.class, NetworkFunctions::family);
    library.member(
        "isUnspecified",
        "ip_is_unspecified",
        bool,
        IP,
        InetAddress.class,
        InetAddress::isAnyLocalAddress);
    library.member(
        "isLoopback",
        "ip_is_loopback",
        bool,
        IP,
        InetAddress.class,
        InetAddress::isLoopbackAddress);
    library.member(
        "isLinkLocalMulticast",
        "ip_is_link_local_multicast",
        bool,
        IP,
        InetAddress.class,
        InetAddress::isMCLinkLocal);
    library.member(
        "isLinkLocalUnicast",
        "ip_is_link_local_unicast",
        bool,
        IP,
        InetAddress.class,
        InetAddress::isLinkLocalAddress);
    library.member(
        "isGlobalUnicast",
        "ip_is_global_unicast",
        bool,
        IP,
        InetAddress.class,
        ip ->
            !ip.isAnyLocalAddress()
                && !ip.isLoopbackAddress()
                && !ip.isMulticastAddress()
                && !ip.isLinkLocalAddress());
  }

  private static void ranges(FunctionLibrary library) {
    CelType bool = SimpleType.BOOL;
    library.global("cidr", "string_to_cidr", CIDR, SimpleType.STRING, String.class, Range::parse);
    library.global(
        "isCIDR",
        "is_cidr",
        bool,
        SimpleType.STRING,
        String.class,
        text -> holds(() -> Range.parse(text)));
    library.member(
        "containsIP",
        "cidr_contains_ip_ip",
        bool,
        CIDR,
        IP,
        Range.class,
        InetAddress.class,
        Range::contains);
    library.member(
        "containsIP",
        "cidr_contains_ip_string",
        bool,
        CIDR,
        SimpleType.STRING,
        Range.class,
        String.class,
        (range, text) -> range.contains(address(text)));
    library.member(
        "containsCIDR",
        "cidr_contains_cidr",
        bool,
        CIDR,
        CIDR,
        Range.class,
        Range.class,
        Range::contains);
    library.member(
        "containsCIDR",
        "cidr_contains_cidr_string",
        bool,
        CIDR,
        SimpleType.STRING,
        Range.class,
        String.class,
        (range, text) -> range.contains(Range.parse(text)));
    library.member("ip", "cidr_ip", IP, CIDR, Range.class, Range::base);
    library.member(
        "prefixLength",
        "cidr_prefix_length",
        SimpleType.INT,
        CIDR,
        Range.class,
        range -> (long) range.bits());
    library.member("masked", "cidr_masked", CIDR, CIDR, Range.class, Range::masked);
  }

  private interface Attempt {
    Object get();
  }

  private static boolean holds(Attempt attempt) {
    try {
      return attempt.get() != null;
    } catch (IllegalArgumentException e) {
      return false;
    }
  }

  private static URI url(String text) {
    URI uri = URI.create(text);
    if (!uri.isAbsolute() && !text.startsWith("/")) {
      throw new IllegalArgumentException("URL parse error during conversion from string: " + text);
    }
    return uri;
  }

  private static Map<String, List<String>> query(URI url) {
    Map<String, List<String>> query = new LinkedHashMap<>();
    for (String pair : orEmpty(url.getRawQuery()).split("&")) {
      if (!pair.isEmpty()) {
        String[] parts = pair.split("=", 2);
        String value = parts.length > 1 ? URLDecoder.decode(parts[1], StandardCharsets.UTF_8) : "";
        query
            .computeIfAbsent(
                URLDecoder.decode(parts[0], StandardCharsets.UTF_8), key -> new ArrayList<>())
            .add(value);
      }
    }
    return query;
  }

  private static InetAddress address(String text) {
    return InetAddresses.forString(text);
  }

  private static long family(InetAddress address) {
    return address instanceof Inet6Address ? 6 : 4;
  }

  private static String orEmpty(String text) {
    return text == null ? "" : text;
  }
}
