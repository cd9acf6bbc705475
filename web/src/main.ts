import "uplot/dist/uPlot.min.css";
import "./style.css";
import { createApp } from "vue";
import App from "./App.vue";
import { listen } from "./data";
import { startTheme } from "./theme";

listen();
startTheme();
createApp(App).mount("#app");
