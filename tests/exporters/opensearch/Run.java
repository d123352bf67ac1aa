// One OpenSearch node inside this JVM: java -cp 'lib/*' Run.java PORT DATA
// It ends when its standard input does, so that it never outlives the tests that started it.

import java.util.List;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.index.mapper.MapperExtrasPlugin;
import org.opensearch.index.reindex.ReindexPlugin;
import org.opensearch.node.Node;
import org.opensearch.transport.Netty4Plugin;

class Run extends Node {
    Run(Settings settings) {
        super(
            new Environment(settings, null),
            List.of(Netty4Plugin.class, ReindexPlugin.class, MapperExtrasPlugin.class),
            false
        );
    }

    public static void main(String[] arguments) throws Exception {
        var settings = Settings.builder()
            .put("http.port", arguments[0])
            .put("path.home", arguments[1])
            .put("network.host", "127.0.0.1")
            .put("transport.port", "0")
            .put("discovery.type", "single-node")
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .build();
        new Run(settings).start();
        while (System.in.read() >= 0) {
        }
        Runtime.getRuntime().halt(0);
    }
}
